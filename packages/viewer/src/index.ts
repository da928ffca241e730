export type * from "./api/answers.js";

export { pgInstrumentation } from "./pg.js";

export { mysql2Instrumentation } from "./mysql2.js";

export { mysql2Instrumentation, type Mysql2Options } from "./mysql2.js";

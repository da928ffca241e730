export { mariadbInstrumentation } from "./mariadb.js";

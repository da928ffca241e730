export { postgresInstrumentation } from "./postgres.js";

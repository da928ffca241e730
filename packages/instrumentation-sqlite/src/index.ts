export { betterSqlite3Instrumentation } from "./better-sqlite3.js";
export { sqliteInstrumentation } from "./node-sqlite.js";

export { pgInstrumentation, type PgOptions } from "./pg.js";
export type { SqlTags } from "./sql-comment.js";

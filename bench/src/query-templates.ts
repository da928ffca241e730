import type { DatabaseTemplate } from "@telltale/core";

/** Query templates that differ in their table, as an instrumentation would make them. */
export function makeTemplates(count: number): DatabaseTemplate[] {
  return Array.from({ length: count }, (_, i) => ({
    system: "postgresql",
    namespace: "bench",
    operationName: "SELECT",
    collection: `table_${i}`,
    querySummary: `SELECT table_${i}`,
    queryText: `SELECT id, name FROM table_${i} WHERE id = $1`,
    fingerprint: i.toString(16).padStart(16, "0"),
    effect: "read",
    serverAddress: "127.0.0.1",
    serverPort: 5432,
    poolName: "bench",
    // As many as listeners may want: a hole that is filled later would change the object's shape.
    slots: Array.from({ length: 8 }),
  }));
}

import type { DatabaseTemplate } from "@telltale/core";

/** A template of one query, with what a test cares about changed. */
export function template(changes: Partial<DatabaseTemplate> = {}): DatabaseTemplate {
  return {
    system: "postgresql",
    namespace: "shop",
    operationName: "SELECT",
    collection: "orders",
    querySummary: "SELECT orders",
    queryText: "SELECT * FROM orders WHERE id = $1",
    fingerprint: "0123456789abcdef",
    effect: "read",
    serverAddress: "db.example",
    serverPort: 5432,
    poolName: undefined,
    slots: [],
    ...changes,
  };
}

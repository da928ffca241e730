import type { Pool } from "mysql2/promise";
import type { NamedQuery, Queries, QueryPool } from "./repeat-works.js";

/** The driver, as the workloads know one: a query that has a name is prepared. */
export function queriesOf(driver: Pick<Pool, "query" | "execute">): Queries {
  return {
    async query(given: string | NamedQuery, more?: unknown[]) {
      const { name, text, values = more } = typeof given === "string" ? { text: given } : given;
      const sql = text.replaceAll(/\$\d/g, "?");
      const [rows] = await (name === undefined ? driver.query(sql, values) : driver.execute(sql, values as never));
      return { rows: Array.isArray(rows) ? rows : [] };
    },
  };
}

/** Its pool, likewise. */
export function poolOf(driver: Pool): QueryPool & { end(): Promise<unknown> } {
  return {
    ...queriesOf(driver),
    async connect() {
      const connection = await driver.getConnection();
      return { ...queriesOf(connection), release: () => connection.release() };
    },
    end: () => driver.end(),
  };
}

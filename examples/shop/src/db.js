import { Pool } from "pg";

export function createDatabase({ databaseUrl, poolSize }) {
  const pool = new Pool({
    ...(databaseUrl && { connectionString: databaseUrl }),
    application_name: "shop",
    max: poolSize,
    connectionTimeoutMillis: 5_000,
  });
  // A connection that breaks while idle is replaced by the pool; without a listener it would end the process.
  pool.on("error", (error) => console.error(`idle database connection lost: ${error.message}`));
  return pool;
}

/** Runs `work` in a transaction on one connection: commits what it returns, rolls back what it throws. */
export async function inTransaction(pool, work) {
  const client = await pool.connect();
  let broken;
  try {
    await client.query("BEGIN");
    const result = await work(client);
    await client.query("COMMIT");
    return result;
  } catch (error) {
    await client.query("ROLLBACK").catch((rollbackError) => (broken = rollbackError));
    throw error;
  } finally {
    client.release(broken);
  }
}

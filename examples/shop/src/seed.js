import { readFile } from "node:fs/promises";
import { createDatabase } from "./db.js";
import { readConfig } from "./config.js";

const db = createDatabase(readConfig(process.env));
try {
  for (const file of ["schema.sql", "seed.sql"]) {
    await db.query(await readFile(new URL(`../db/${file}`, import.meta.url), "utf8"));
  }
} catch (error) {
  console.error(`seeding failed: ${error.message}`);
  process.exitCode = 1;
} finally {
  await db.end();
}

import { findServer } from "./find-server.js";
import type { ServerName } from "./find-server.js";

// `npm run servers`: installs what is missing before the tests, and shows what they will use.
const names: readonly ServerName[] = [
  "postgres",
  "mariadb",
  "redis",
  "memcached",
  "prometheus",
  "alertmanager",
  "chromium",
];
for (const name of names) {
  const found = await findServer(name);
  console.log(`${name}: ${found === process.env["REDIS_URL"] ? "the one that REDIS_URL names" : found}`);
}

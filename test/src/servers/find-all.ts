import { findServer } from "./find-server.js";
import type { ServerName } from "./find-server.js";

// `npm run servers`: installs what is missing before the tests, and shows what they will use.
const names: readonly ServerName[] = ["postgres", "redis", "prometheus"];
for (const name of names) console.log(`${name}: ${await findServer(name)}`);

import { ConfigError, start } from "./index.js";
import { findRole } from "./role.js";
import { writeLine } from "./stderr.js";

// What `--require telltale/register` runs. Whatever goes wrong here is one line; the app runs on.
try {
  if (findRole(process.argv[1]) !== "tool") start();
} catch (error) {
  if (process.env["TELLTALE_LOG"] !== "silent") {
    const lines =
      error instanceof ConfigError
        ? error.problems
        : [error instanceof Error ? (error.stack ?? error.message) : String(error)];
    for (const line of lines) writeLine(`telltale: ${line}`);
    writeLine("telltale: not started; the app runs without instrumentation");
  }
}

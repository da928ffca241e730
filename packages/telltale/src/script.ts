import { isAbsolute } from "node:path";
import { getEnvironmentData, isMainThread, setEnvironmentData } from "node:worker_threads";

const KEY = "telltale.script";

/**
 * The script that the process runs, by which the app's package.json is found. Threads do not know it yet when the preload runs: their
 * process leaves it to them, or they would be another service.
 */
export function findScript(): string | undefined {
  const [, first = ""] = process.argv;
  // Node makes the path of a script absolute; of `-e` and `--test` it is an argument that stands there.
  const script = isAbsolute(first) ? first : undefined;
  if (!isMainThread) return (getEnvironmentData(KEY) as string | undefined) ?? script;
  if (script !== undefined) setEnvironmentData(KEY, script);
  return script;
}

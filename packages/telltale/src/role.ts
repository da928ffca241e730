import type cluster from "node:cluster";
import { basename, isAbsolute, sep } from "node:path";
import { isMainThread } from "node:worker_threads";
import { isPm2Daemon } from "./pm2.js";

/**
 * What this process or thread is to Telltale.
 * - `app`: everything.
 * - `cluster-worker`: everything; its primary, where that runs Telltale, serves its metrics.
 * - `thread`: everything but the signals; another thread or process serves its metrics.
 * - `tool`: a package manager, PM2, our own command line, or what else starts programs, that inherited NODE_OPTIONS; left alone, the app is its child.
 */
export type Role = "app" | "cluster-worker" | "thread" | "tool";

const TOOLS = new Set([
  "pm2",
  "pm2-runtime",
  "npm",
  "npx",
  "pnpm",
  "pnpx",
  "yarn",
  "yarnpkg",
  "corepack",
  "bun",
  "turbo",
  "telltale",
  "tsx",
  "nodemon",
  "concurrently",
  "cross-env",
  "dotenv",
  "env-cmd",
  "npm-run-all",
  "run-s",
  "run-p",
]);

export function findRole(script: string | undefined): Role {
  if (!isMainThread) return "thread";
  if (script !== undefined && isAbsolute(script) && isTool(script)) return "tool";
  // Workers have a channel to their primary. Nobody else needs the module, which takes 2.5 MB.
  if (process.send === undefined) return "app";
  const { isWorker } = process.getBuiltinModule("node:cluster") as unknown as typeof cluster;
  return isWorker ? "cluster-worker" : "app";
}

function isTool(script: string): boolean {
  if (isPm2Daemon(script)) return true;
  const name = basename(script)
    .replace(/\.[cm]?js$/, "")
    .replace(/-cli$/, "");
  if (!TOOLS.has(name)) return false;
  // `npm` as it lies in a bin folder, or `npm-cli.js` inside the package; an app may have an `npm.js` of its own.
  return (
    basename(script) === name || script.includes(`${sep}node_modules${sep}`) || script.includes(`${sep}corepack${sep}`)
  );
}

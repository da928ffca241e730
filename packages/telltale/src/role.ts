import type cluster from "node:cluster";
import { basename, sep } from "node:path";
import { isMainThread } from "node:worker_threads";

/**
 * What this process or thread is to Telltale.
 * - `app`: everything.
 * - `cluster-worker`: everything, with a metrics port of its own above the configured one.
 * - `thread`: spans and findings; the main thread owns the port and the signals.
 * - `tool`: a package manager that inherited NODE_OPTIONS; left alone, the app is its child.
 */
export type Role = "app" | "cluster-worker" | "thread" | "tool";

const TOOLS = new Set(["npm", "npx", "pnpm", "pnpx", "yarn", "yarnpkg", "corepack", "bun", "turbo"]);

export function findRole(script: string | undefined): Role {
  if (!isMainThread) return "thread";
  if (script !== undefined && isTool(script)) return "tool";
  // Workers have a channel to their primary. Nobody else needs the module, which takes 2.5 MB.
  if (process.send === undefined) return "app";
  const { isWorker } = process.getBuiltinModule("node:cluster") as unknown as typeof cluster;
  return isWorker ? "cluster-worker" : "app";
}

function isTool(script: string): boolean {
  const name = basename(script)
    .replace(/\.[cm]?js$/, "")
    .replace(/-cli$/, "");
  if (!TOOLS.has(name)) return false;
  // `npm` as it lies in a bin folder, or `npm-cli.js` inside the package; an app may have an `npm.js` of its own.
  return (
    basename(script) === name || script.includes(`${sep}node_modules${sep}`) || script.includes(`${sep}corepack${sep}`)
  );
}

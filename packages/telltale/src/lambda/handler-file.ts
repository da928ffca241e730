import { existsSync } from "node:fs";
import { basename, dirname, resolve } from "node:path";

/** A handler as AWS names one (`src/index.handler`): its file, if it is there, and what is exported under which names. */
export function locateHandler(name: string, root: string): { file: string | undefined; path: readonly string[] } {
  const [stem = "", ...path] = basename(name).split(".");
  const base = resolve(root, dirname(name), stem);
  return { file: [".js", ".mjs", ".cjs"].map((ending) => base + ending).find((file) => existsSync(file)), path };
}

/** The file of the function that AWS Lambda runs in this process: there the script is AWS's own. Undefined anywhere else. */
export function findFunction(env: Readonly<Record<string, string | undefined>>): string | undefined {
  const { LAMBDA_TASK_ROOT: root, _HANDLER: own, TELLTALE_LAMBDA_HANDLER: name = own } = env;
  if (root === undefined || name === undefined) return undefined;
  return locateHandler(name, root).file ?? resolve(root, "index.js");
}

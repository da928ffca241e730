import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { announceModule } from "@telltale/core";

interface Require {
  (name: string): unknown;
  resolve(name: string): string;
}

/**
 * Shows Telltale libraries that somebody else loads than Node: Jest has a `require` of its own, whose modules nobody else sees. To be
 * called with that `require` in a setup file, after `start()`, with the names of packages: `["pg", "pg-pool", "ioredis", "express"]`.
 *
 * @throws Error where a package is not installed.
 */
export function showModules(require: Require, names: readonly string[]): void {
  for (const name of names) {
    const file = require.resolve(name);
    announceModule({ name, version: versionOf(name, file), exports: require(name), file });
  }
}

/** Not every package lets its manifest be required. */
function versionOf(name: string, file: string): string {
  for (let folder = dirname(file); folder !== dirname(folder); folder = dirname(folder)) {
    const path = join(folder, "package.json");
    if (!existsSync(path)) continue;
    const manifest = JSON.parse(readFileSync(path, "utf8")) as { name?: string; version?: string };
    if (manifest.name === name && manifest.version !== undefined) return manifest.version;
  }
  throw new Error(`${name} was found at ${file}, but no package.json that says its version`);
}

import { existsSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";
import { type Manifest, readManifest } from "../../manifest.js";

/** A package as it is installed. */
export interface Installed {
  /** From its own package.json: what is installed under another name has its own here. */
  readonly name: string;
  readonly version: string;
  readonly folder: string;
}

const MAX_PACKAGES = 20_000;

/**
 * What the app brings along in `node_modules`: the packages named, what they depend on, and so on. Read from their manifests: none is loaded.
 */
export function findInstalled(appFolder: string, names: Iterable<string>): Installed[] {
  const found = new Map<string, Installed>();
  const waiting = [...names].map((name) => ({ name, from: appFolder }));
  for (let next = waiting.pop(); next !== undefined && found.size < MAX_PACKAGES; next = waiting.pop()) {
    const folder = findPackage(next.name, next.from);
    if (folder === undefined || found.has(folder)) continue;
    const manifest = readManifest(folder) ?? {};
    found.set(folder, { name: manifest.name ?? next.name, version: manifest.version ?? "0.0.0", folder });
    // What Telltale brings along is its own affair.
    if (manifest.name === "telltale" || manifest.name?.startsWith("@telltale/") === true) continue;
    for (const name of dependenciesOf(manifest)) waiting.push({ name, from: folder });
  }
  return [...found.values()].sort((a, b) => compare(a.name, b.name) || compare(a.version, b.version));
}

/** What is installed with a package, where it is there. */
export function dependenciesOf({ dependencies, optionalDependencies, peerDependencies }: Manifest): string[] {
  return Object.keys({ ...dependencies, ...optionalDependencies, ...peerDependencies });
}

/** The folder that a package is loaded from by files in another one. */
export function findPackage(name: string, from: string): string | undefined {
  for (let folder = from; ; folder = dirname(folder)) {
    const candidate = join(folder, "node_modules", name);
    // Links of pnpm and workspaces: what they lead to is what counts.
    if (existsSync(join(candidate, "package.json"))) return realpathSync(candidate);
    if (folder === dirname(folder)) return undefined;
  }
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

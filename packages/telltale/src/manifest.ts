import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** What is used of a package.json. */
export interface Manifest {
  readonly name?: string;
  readonly version?: string;
  readonly type?: string;
  readonly main?: string;
  readonly module?: string;
  readonly exports?: unknown;
  readonly scripts?: Readonly<Record<string, string>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
}

/** What may not be read (`--permission`) is not there; Node throws for it. */
export function isThere(path: string): boolean {
  try {
    return existsSync(path);
  } catch {
    return false;
  }
}

/** Editors on Windows put a byte order mark before it, which Node and npm skip. */
export function readJson(file: string): unknown {
  return JSON.parse(readFileSync(file, "utf8").replace(/^\uFEFF/, ""));
}

/** The package.json of a folder; undefined where there is none that can be read. */
export function readManifest(folder: string): Manifest | undefined {
  try {
    const manifest = readJson(join(folder, "package.json"));
    return typeof manifest === "object" && manifest !== null ? wellTyped(manifest) : undefined;
  } catch {
    return undefined;
  }
}

const STRINGS: ReadonlySet<string> = new Set(["name", "version", "type", "main", "module"]);
const RECORDS: ReadonlySet<string> = new Set(["scripts", "dependencies", "optionalDependencies", "peerDependencies"]);

/** Anybody may write anything there. What is not of its type says nothing. */
function wellTyped(manifest: object): Manifest {
  const typed = Object.entries(manifest).filter(([key, value]: [string, unknown]) => {
    if (STRINGS.has(key)) return typeof value === "string";
    return !RECORDS.has(key) || (typeof value === "object" && value !== null);
  });
  const result = Object.fromEntries(typed) as Manifest;
  const scripts = Object.entries(result.scripts ?? {}).filter(([, line]) => typeof line === "string");
  return { ...result, scripts: Object.fromEntries(scripts) };
}

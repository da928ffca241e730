import { realpathSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { isThere, readManifest } from "../manifest.js";
import { UPSTREAM, UPSTREAM_NAMES, type UpstreamName } from "./known.js";

const require = createRequire(import.meta.url);

/** An instrumentation that the user has installed. */
export interface InstalledUpstream {
  readonly name: UpstreamName;
  /** The package's name, folder and version. */
  readonly package: string;
  readonly folder: string;
  readonly version: string;
}

const AUTO = "@opentelemetry/auto-instrumentations-node";

/** The instrumentations that an app has installed, one by one or by `auto-instrumentations-node`. None is loaded. */
export function findUpstream(appFolder: string): InstalledUpstream[] {
  const folders = createRequire(join(appFolder, "app.js")).resolve.paths("app") ?? [];
  const roots = folders.flatMap((folder) => {
    const auto = join(folder, AUTO);
    if (!isThere(auto)) return [folder];
    // What it depends on lies inside of it, or, as pnpm has it, beside where its link leads to.
    return [folder, join(auto, "node_modules"), join(realpathSync(auto), "../..")];
  });
  const withScope = roots.filter((root) => isThere(join(root, "@opentelemetry")) || isThere(join(root, "@appsignal")));
  return UPSTREAM_NAMES.flatMap((name) => {
    const { package: wanted } = UPSTREAM[name];
    const root = withScope.find((each) => isThere(join(each, wanted, "package.json")));
    if (root === undefined) return [];
    const folder = realpathSync(join(root, wanted));
    return [{ name, package: wanted, folder, version: readManifest(folder)?.version ?? "0.0.0" }];
  });
}

/** The folder and version of the package that a file belongs to. */
export function packageOf(file: string, name: string): { folder: string; version: string } | undefined {
  for (let folder = dirname(file); folder !== dirname(folder); folder = dirname(folder)) {
    const manifest = readManifest(folder);
    if (manifest?.name === name) return { folder, version: manifest.version ?? "0.0.0" };
  }
  return undefined;
}

/** Why an instrumentation cannot work beside Telltale, as far as versions say; undefined where it can. */
export function whyApart({ folder }: InstalledUpstream): string | undefined {
  const api = "@opentelemetry/api";
  const own = packageOf(require.resolve(api), api)?.version ?? "0.0.0";
  let theirs: string | undefined;
  try {
    theirs = packageOf(createRequire(join(folder, "index.js")).resolve(api), api)?.version;
  } catch {
    return `it takes ${api}, which is not installed; npm install ${api}@${own}`;
  }
  return theirs === undefined || isReached(theirs, own)
    ? undefined
    : `it uses ${api} ${theirs}, which knows nothing of Telltale's ${own}; npm install ${api}@${own}`;
}

/** An API finds what was registered by its own major version, and by none that is older than itself. */
export function isReached(version: string, own: string): boolean {
  const [major, minor = 0] = version.split(".").map(Number);
  const [ownMajor, ownMinor = 0] = own.split(".").map(Number);
  return major === ownMajor && minor <= ownMinor;
}

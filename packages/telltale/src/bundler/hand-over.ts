import { createRequire } from "node:module";
import { basename, dirname, extname, join } from "node:path";
import { installedFolder, type SupportedModule, targetsOf } from "@telltale/core";
import { instrumentedLibraries } from "../index.js";
import { readManifest } from "../manifest.js";

/** A library that is instrumented, as it is installed. */
interface Library {
  readonly name: string;
  readonly version: string;
  readonly inner: readonly string[];
  /** Files that are its main module, for whatever bundler. */
  readonly entries: ReadonlySet<string>;
  /** Files that are ES modules because their manifest's field says so. */
  readonly module: string | undefined;
}

/**
 * The code of a file as a bundle should have it: where it is the main module of a library that Telltale hears, a line follows that hands
 * the library over as it is evaluated, and no line of it moves. Undefined for every other file.
 */
export function handOver(code: string, file: string): string | undefined {
  const folder = installedFolder(dirname(file));
  const library = folder === undefined ? undefined : libraryIn(folder);
  if (library === undefined || !library.entries.has(file)) return undefined;
  const { name, version } = library;
  const it = { name, version, file: `bundle:${name}@${version}` };
  return code + (isEsModule(file, library) ? asEsModule(it, file) : asCommonJs(it, innerOf(file, library)));
}

function asCommonJs(it: object, inner: readonly string[]): string {
  const loads = inner.map((path) => `if (path === ${JSON.stringify(path)}) return require(${JSON.stringify(path)});`);
  return `\n;${push(it, `exports: module.exports, require: function (path) { ${loads.join(" ")} }`)}\n`;
}

function asEsModule(it: object, file: string): string {
  return `\nimport * as telltaleBundled from ${JSON.stringify(`./${basename(file)}`)};\n${push(it, "exports: telltaleBundled")}\n`;
}

/** See `hearBundles` of core. */
function push(it: object, members: string): string {
  return `(globalThis[Symbol.for("telltale.bundled")] ??= []).push({ ...${JSON.stringify(it)}, ${members} });`;
}

/** What a version does not have, a bundler would stumble over. */
function innerOf(file: string, { inner }: Library): string[] {
  const { resolve } = createRequire(file);
  return inner.filter((path) => {
    try {
      return resolve(path) !== "";
    } catch {
      return false;
    }
  });
}

function isEsModule(file: string, library: Library): boolean {
  const type = extname(file);
  if (type !== ".js") return type === ".mjs";
  if (file === library.module) return true;
  for (let folder = dirname(file); folder !== dirname(folder); folder = dirname(folder)) {
    const manifest = readManifest(folder);
    if (manifest !== undefined) return manifest.type === "module";
  }
  return false;
}

/** By folder. */
const libraries = new Map<string, Library | undefined>();

function libraryIn(folder: string): Library | undefined {
  if (!libraries.has(folder)) libraries.set(folder, findLibrary(folder));
  return libraries.get(folder);
}

function findLibrary(folder: string): Library | undefined {
  const { name, version = "0.0.0", main, module, exports } = readManifest(folder) ?? {};
  const known = name === undefined ? [] : supported().filter((each) => each.module === name);
  if (name === undefined || known.length === 0) return undefined;
  const given = [main, module].filter((path) => path !== undefined);
  const others = known.flatMap((each) => each.others ?? []);
  const files = ["index.js", ...given, ...targetsOf(exports), ...others].map((path) => join(folder, path));
  return {
    name,
    version,
    inner: [...new Set(known.flatMap((each) => each.inner ?? []))],
    // `main` may be a folder, or lack its ending.
    entries: new Set(files.flatMap((file) => [file, `${file}.js`, join(file, "index.js")])),
    module: module !== undefined ? join(folder, module) : undefined,
  };
}

let all: readonly SupportedModule[] | undefined;

function supported(): readonly SupportedModule[] {
  return (all ??= instrumentedLibraries());
}

import { existsSync, statSync } from "node:fs";
import { dirname, extname, join, resolve } from "node:path";
import { findAppFolder } from "../../config/file.js";
import { type Manifest, readManifest } from "../../manifest.js";
import { UsageError } from "../command.js";
import { readText } from "./read-text.js";

/** The app as it lies there. */
export interface App {
  readonly folder: string;
  readonly manifest: Manifest;
  /** The file that runs first; undefined where it could not be found out. */
  readonly entry: string | undefined;
  readonly modules: "ES modules" | "CommonJS";
}

const EXTENSIONS = ["", ".js", ".mjs", ".cjs", ".ts", ".mts", ".cts", ".tsx", ".jsx", ".json"];
const USUAL = ["server", "app", "index", "main", "src/server", "src/app", "src/index", "src/main", "dist/index"];

/** @throws UsageError where something was named that is not there, or is no app. */
export function findApp(given: string | undefined): App {
  const named = given === undefined ? undefined : findFile(resolve(given));
  const isFolder = given !== undefined && named === undefined && existsSync(join(given, "package.json"));
  if (given !== undefined && named === undefined && !isFolder) {
    throw new UsageError(
      existsSync(given) ? `${given} is neither a file nor a folder with a package.json` : `there is no file ${given}`,
    );
  }
  const folder = isFolder ? resolve(given) : findAppFolder(named, process.cwd());
  const manifest = readManifest(folder) ?? {};
  const entry =
    named ?? [...scriptsOf(manifest), ...USUAL].map((name) => findFile(join(folder, name))).find((file) => file);
  return { folder, manifest, entry, modules: modulesOf(entry, folder) };
}

/** What `start` runs, and what the package says that it is. */
function scriptsOf({ scripts = {}, main }: Manifest): string[] {
  const [, script] = /(?:^|\s)([\w@./-]+\.[cm]?[jt]sx?)(?=\s|$)/.exec(scripts["start"] ?? "") ?? [];
  return [script, main].filter((name) => name !== undefined);
}

/** A file as `import` and `require` name it, TypeScript's `./a.js` for `a.ts` included. */
export function findFile(path: string): string | undefined {
  const sources = path.replace(/\.([cm]?)jsx?$/, ".$1ts");
  const candidates = [...EXTENSIONS.map((extension) => path + extension), sources, `${sources}x`];
  return [...candidates, ...EXTENSIONS.slice(1, 6).map((extension) => join(path, `index${extension}`))].find(isFile);
}

/** A path may be anything that stands in a text: too long, with a zero in it, a link to itself. */
function isFile(path: string): boolean {
  try {
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/** As Node decides it, but for files that say neither: there the first `import` decides. */
function modulesOf(entry: string | undefined, folder: string): App["modules"] {
  const extension = extname(entry ?? "");
  if (extension.startsWith(".m")) return "ES modules";
  if (extension.startsWith(".c")) return "CommonJS";
  const type = readManifest(entry === undefined ? folder : nearest(entry))?.type;
  if (type !== undefined || entry === undefined) return type === "module" ? "ES modules" : "CommonJS";
  return /^[ \t]*(import[ \t]*["{*\w]|export[ \t])/m.test(readText(entry)) ? "ES modules" : "CommonJS";
}

function nearest(file: string): string {
  for (let folder = dirname(file); folder !== dirname(folder); folder = dirname(folder)) {
    if (isFile(join(folder, "package.json"))) return folder;
  }
  return dirname(file);
}

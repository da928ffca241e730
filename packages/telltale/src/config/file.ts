import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { isThere, readJson, readManifest } from "../manifest.js";
import { FILE_SCHEMA, findProblems } from "./schema.js";
import type { FileOptions } from "./options.js";

const NAMES = ["telltale.config.json", "telltale.config.js", "telltale.config.mjs"];

/** The folder of the app: where the nearest package.json above its main script is, else the working directory. */
export function findAppFolder(script: string | undefined, workingDirectory: string): string {
  for (
    let folder = script === undefined ? workingDirectory : dirname(resolve(workingDirectory, script));
    ;
    folder = dirname(folder)
  ) {
    if (isThere(join(folder, "package.json"))) return folder;
    if (folder === dirname(folder)) return workingDirectory;
  }
}

/** `name` in the app's package.json. */
export function readPackageName(appFolder: string): string | undefined {
  return readManifest(appFolder)?.name || undefined;
}

/** The options of the app's configuration file, if there is one. */
export function readConfigFile(appFolder: string): { options: FileOptions; problems: string[] } {
  const found = NAMES.filter((name) => isThere(join(appFolder, name)));
  const [name] = found;
  if (name === undefined) return { options: {}, problems: [] };
  if (found.length > 1) return { options: {}, problems: [`found ${found.join(" and ")}; keep one of them`] };
  try {
    const options = load(join(appFolder, name));
    const problems = findProblems(FILE_SCHEMA, options, name);
    return { options: problems.length === 0 ? (options as FileOptions) : {}, problems };
  } catch (error) {
    return { options: {}, problems: [`${name} cannot be read: ${reasonOf(error)}`] };
  }
}

/** What V8 says of wrong JSON quotes it, lines of it, and there may be a password in them; as in a URL that the file's own code complains of. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return typeof error === "string" ? firstLine(error) : "it throws what is no error";
  return firstLine(error.message.replace(/, (\.\.\.)?".*(?= is not valid JSON)/s, ": it"));
}

function firstLine(text: string): string {
  const [line = ""] = text.split("\n", 1);
  return line.replaceAll(/\/\/[^/@\s"]*@/g, "//***@");
}

function load(file: string): unknown {
  if (file.endsWith(".json")) return readJson(file);
  const loaded = createRequire(file)(file) as unknown;
  return typeof loaded === "object" && loaded !== null && "default" in loaded ? loaded.default : loaded;
}

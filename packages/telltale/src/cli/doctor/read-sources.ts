import { isBuiltin } from "node:module";
import { dirname, resolve } from "node:path";
import { findFile } from "./find-app.js";
import { readText } from "./read-text.js";

/** A file of the app, and what it loads. */
export interface Source {
  readonly file: string;
  /** Files of the app and packages, in the order in which the text names them. */
  readonly loads: readonly string[];
  /** How many of `loads` come before `start()` of Telltale runs; undefined where the file does not call it. */
  readonly beforeStart: number | undefined;
}

const MAX_FILES = 2_000;

/** Bounded, as are the others here: a file may be anything. `import … from "x"`, `export … from "x"`, `import "x"`, `import("x")`, `require("x")`. */
const LOADS = /\b(?:from|import|require)\s{0,20}\(?\s{0,20}["']([^"'\n]{1,300})["']/g;

/** The files of the app that a file reaches; they are read, not run. `isWhole` is false where there were too many. */
export function readSources(entry: string): { files: ReadonlyMap<string, Source>; isWhole: boolean } {
  const files = new Map<string, Source>();
  const waiting = [entry];
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    if (files.has(file)) continue;
    if (files.size >= MAX_FILES) return { files, isWhole: false };
    const source = readSource(file);
    files.set(file, source);
    waiting.push(...source.loads.filter((name) => name.startsWith("/") || /^[A-Z]:\\/i.test(name)));
  }
  return { files, isWhole: true };
}

function readSource(file: string): Source {
  const text = withoutComments(readText(file));
  const loads: string[] = [];
  const startsAt = /\btelltale["']/.test(text) ? text.search(/\bstart\s{0,20}\(/) : -1;
  let beforeStart = startsAt < 0 ? undefined : 0;
  for (const match of text.matchAll(LOADS)) {
    const [statement, name = ""] = match;
    const found = name.startsWith(".") ? findFile(resolve(dirname(file), name)) : packageNameOf(name);
    if (found === undefined) continue;
    loads.push(found);
    // Imports run before all else in a module, wherever they stand.
    if (beforeStart !== undefined && (match.index < startsAt || !/^(require|import\s*\()/.test(statement)))
      beforeStart++;
  }
  return { file, loads, beforeStart };
}

/** Lines that are comments as a whole, and imports of types: neither loads anything. */
function withoutComments(text: string): string {
  return text
    .replaceAll(/^[ \t]*(\/\/|\*|\/\*).*$/gm, "")
    .replaceAll(/\b(im|ex)port\s+type\b[^;"']{0,2000}\bfrom\s{0,20}["'][^"'\n]*["']/g, "");
}

/** `@scope/name` of `@scope/name/part`; undefined for what is no package: built-in modules, `#internal`, URLs, aliases. */
function packageNameOf(name: string): string | undefined {
  if (isBuiltin(name)) return undefined;
  return /^(@[a-z0-9~][\w.~-]*\/)?[a-z0-9~][\w.~-]*(?=\/|$)/i.exec(name)?.[0];
}

/** The packages that files reach. */
export function packagesOf(files: Iterable<Source>): Set<string> {
  const names = new Set<string>();
  for (const { loads } of files) for (const name of loads) if (!/^(\/|[A-Z]:\\)/i.test(name)) names.add(name);
  return names;
}

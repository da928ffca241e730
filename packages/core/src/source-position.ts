import { findSourceMap, SourceMap } from "node:module";
import { dirname, isAbsolute, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { limitOf } from "./self.js";

interface Position {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

type Mapping = Pick<SourceMap, "findEntry"> & { readonly folder: string };

/** Bytes of a file or a map that are read: to read 1 MB of map keeps the event loop for about 10 ms. */
const MAX_BYTES = 1_000_000;
const MAX_FILES = 200;
const unread = limitOf("call_site.source_maps");

/** The maps of files that sites lead to: undefined while one is read, null where there is none. */
const maps = new Map<string, Mapping | null | undefined>();

/** The position in the source. Undefined while the file's source map is being read; the position itself where there is none. */
export function mapPosition(file: string, url: string, line: number, column: number): Position | undefined {
  const here = { file, line, column };
  if (!isAbsolute(file)) return here;
  // Node's own, when it runs with --enable-source-maps: its file names are resolved, and it has maps of code that is in no file.
  const known = findSourceMap(url) ?? findSourceMap(file);
  if (known !== undefined) return applyMap(known, dirname(file), here);
  if (!maps.has(file)) {
    if (maps.size >= MAX_FILES) {
      unread.total += 1;
      return here;
    }
    maps.set(file, undefined);
    void readMap(file).then(
      (map) => maps.set(file, map),
      () => maps.set(file, null),
    );
  }
  const map = maps.get(file);
  if (map === undefined) return undefined;
  return map === null ? here : applyMap(map, map.folder, here);
}

function applyMap(map: Pick<SourceMap, "findEntry">, folder: string, here: Position): Position {
  // A SourceMap counts from 0.
  const entry = map.findEntry(here.line - 1, here.column - 1);
  // Null is allowed for a source that has no name; a broken map may have anything.
  const source: unknown = "originalSource" in entry ? entry.originalSource : undefined;
  if (typeof source !== "string" || !("originalLine" in entry)) return here;
  return {
    file: sourcePath(source, folder),
    line: entry.originalLine + 1,
    column: entry.originalColumn + 1,
  };
}

function sourcePath(source: string, folder: string): string {
  if (source.startsWith("file:")) return filePath(source);
  return /^[a-z][a-z0-9+.-]+:/i.test(source) ? source : resolve(folder, source);
}

/** The URL itself where it is of another machine, or broken. */
function filePath(url: string): string {
  try {
    return fileURLToPath(url);
  } catch {
    return url;
  }
}

async function readMap(file: string): Promise<Mapping | null> {
  const code = await readText(file);
  const address = code?.match(/\/\/[#@] sourceMappingURL=(\S+)\s*$/)?.[1];
  if (address === undefined) return null;
  const inline = /^data:application\/json[^,]*?(;base64)?,(.*)$/.exec(address);
  const path = resolve(dirname(file), decodeURI(address));
  const text =
    inline === null
      ? await readText(path)
      : Buffer.from(decodeURIComponent(inline[2] ?? ""), inline[1] === undefined ? "utf8" : "base64").toString();
  if (text === undefined) return null;
  const payload = JSON.parse(text) as ConstructorParameters<typeof SourceMap>[0];
  const map = new SourceMap(payload);
  const folder = resolve(inline === null ? dirname(path) : dirname(file), payload.sourceRoot ?? "");
  return { findEntry: (line, column) => map.findEntry(line, column), folder };
}

async function readText(path: string): Promise<string | undefined> {
  // Loaded with the first map: few processes ever need it.
  const { readFile, stat } = process.getBuiltinModule("node:fs/promises");
  const { size } = await stat(path);
  return size > MAX_BYTES ? undefined : await readFile(path, "utf8");
}

import { fileURLToPath } from "node:url";
import type { CallSite } from "./call-site.js";
import { isGenerated } from "./generated-code.js";
import { mapPosition } from "./source-position.js";

/** Telltale's own files while they are not in node_modules: `…/packages/core/dist/index.cjs` stands for all packages. */
const ownFiles = /^(.*[\\/])[^\\/]+[\\/](?:src|dist)[\\/]/.exec(pathOf(import.meta.url));
const ownFolder = ownFiles?.[1] ?? "\0";
const OWN_PACKAGE =
  /^(?:core|insights|tracing|metrics|telltale|testkit|exporter-prometheus|instrumentation-[a-z0-9-]+)[\\/](?:src|dist)[\\/]/;

/** The innermost frame of the app's own code, as its sources have it. */
export function findSite(captured: object): { site: CallSite | undefined; isPending: boolean } {
  for (const frame of framesOf(captured)) {
    const url = frame.getFileName();
    const line = frame.getLineNumber();
    if (typeof url !== "string" || line === null || !isAppFile(url)) continue;
    const column = frame.getColumnNumber() ?? 1;
    const hooked = mapByHook(frame);
    // A hook that leaves the position as it is knows no source, as Node's own.
    const isMapped = hooked !== undefined && (hooked.line !== line || hooked.file !== pathOf(url));
    const position = isMapped ? hooked : mapPosition(pathOf(url), url, line, column);
    if (position === undefined) return { site: undefined, isPending: true };
    const name = nameOf(frame);
    return { site: { ...position, ...(name !== undefined && { function: name }) }, isPending: false };
  }
  return { site: undefined, isPending: false };
}

const FRAME = /^\s*at (?:async )?(?:new )?(?:(.+?)(?: \[as .+?\])? \()?([^()]+):(\d+):(\d+)\)?$/;

/** The same of a stack that is text already. Who has written it may have mapped it; a source has no map of its own. */
export function findSiteInText(stack: string): { site: CallSite | undefined; isPending: boolean } {
  for (const text of stack.split("\n")) {
    const [, name = "", url = "", line, column] = FRAME.exec(text) ?? [];
    if (url === "" || !isAppFile(url)) continue;
    const position = mapPosition(pathOf(url), url, Number(line), Number(column));
    if (position === undefined) return { site: undefined, isPending: true };
    const named = name.replace(/^(?:Object|Function)\./, "");
    const isNamed = named !== "" && !named.endsWith("<anonymous>");
    return { site: { ...position, ...(isNamed && { function: named }) }, isPending: false };
  }
  return { site: undefined, isPending: false };
}

/** The site of a frame that a profile shows, if it is the app's own. While its source map is being read, where it is in the compiled file. */
export function locateFrame(url: string, line: number, column: number, name: string): CallSite | undefined {
  if (url === "" || !isAppFile(url)) return undefined;
  const position = mapPosition(pathOf(url), url, line, column) ?? { file: pathOf(url), line, column };
  return { ...position, ...(name !== "" && { function: name }) };
}

function isAppFile(url: string): boolean {
  if (url.startsWith("node:") || url === "evalmachine.<anonymous>") return false;
  const file = pathOf(url);
  if (/[\\/]node_modules[\\/]/.test(file) || isGenerated(file)) return false;
  return !file.startsWith(ownFolder) || !OWN_PACKAGE.test(file.slice(ownFolder.length));
}

function pathOf(url: string): string {
  try {
    return url.startsWith("file:") ? fileURLToPath(url) : url;
  } catch {
    return url;
  }
}

/**
 * A stack is formatted when it is first read, by this hook; the app's own is put back at once. By its definition, not by assignment: where
 * the app's is an accessor it would keep ours, and format all stacks of the app with it.
 */
function framesOf(captured: { stack?: unknown }): readonly NodeJS.CallSite[] {
  const hook = Object.getOwnPropertyDescriptor(Error, "prepareStackTrace");
  try {
    const value = (_: unknown, frames: readonly NodeJS.CallSite[]) => frames;
    Object.defineProperty(Error, "prepareStackTrace", { value, configurable: hook?.configurable ?? true });
    const frames = captured.stack;
    return Array.isArray(frames) ? (frames as NodeJS.CallSite[]) : [];
  } catch {
    return [];
  } finally {
    if (hook !== undefined) Object.defineProperty(Error, "prepareStackTrace", hook);
    else Reflect.deleteProperty(Error, "prepareStackTrace");
  }
}

/** As what has compiled the app while it was loaded (ts-node, a test runner) writes the frame; only that knows the source. */
function mapByHook(frame: NodeJS.CallSite): { file: string; line: number; column: number } | undefined {
  try {
    // Jest runs tests in a realm of their own, and maps in the one around it.
    const hook = Error.prepareStackTrace ?? outerError().prepareStackTrace;
    if (typeof hook !== "function") return undefined;
    const text: unknown = hook(new Error("call site"), [frame]);
    const found = typeof text === "string" ? /(?:\(|at (?:async )?)([^()\n]+):(\d+):(\d+)\)?\s*$/.exec(text) : null;
    if (found?.[1] === undefined) return undefined;
    return { file: pathOf(found[1]), line: Number(found[2]), column: Number(found[3]) };
  } catch {
    return undefined;
  }
}

/** The constructor of Node's own realm; in most processes it is ours. */
function outerError(): ErrorConstructor {
  return process.getBuiltinModule("node:vm").runInThisContext("Error") as ErrorConstructor;
}

function nameOf(frame: NodeJS.CallSite): string | undefined {
  const name = frame.getFunctionName();
  if (name === null || name === "") return undefined;
  const type = frame.isToplevel() || frame.isConstructor() ? null : frame.getTypeName();
  return type === null || type === "Object" || type === "Function" || name.includes(".") ? name : `${type}.${name}`;
}

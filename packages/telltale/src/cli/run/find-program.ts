import { accessSync, closeSync, constants, openSync, readSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { delimiter, join, resolve } from "node:path";

/** What the system is told to run. */
export interface Invocation {
  readonly file: string;
  /** With the name that it is called by in front. */
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
}

/** The program, or command, that the arguments name, with the preload. */
export function findProgram(args: readonly string[], env: NodeJS.ProcessEnv): Invocation {
  const [first = ""] = args;
  const preload = createRequire(import.meta.url).resolve("telltale/register");
  const command = first.startsWith("-") || isProgram(first) ? undefined : findCommand(first);
  if (command === undefined)
    return { file: process.execPath, args: [process.argv0, "--require", preload, ...args], env };
  return { file: command, args, env: { ...env, NODE_OPTIONS: withPreload(env["NODE_OPTIONS"], preload) } };
}

/** Whether node would find a script by this name, and not what the system runs by itself: a shell's script, a binary. */
function isProgram(name: string): boolean {
  try {
    return !isForeign(createRequire(join(process.cwd(), "_")).resolve(resolve(name)));
  } catch {
    return false;
  }
}

function isForeign(file: string): boolean {
  const [first = ""] = readStart(file).split("\n", 1);
  return isExecutable(file) && (first.includes("\0") || (first.startsWith("#!") && !/\bnode\b/.test(first)));
}

/** A command, where a shell would find it, and in the `node_modules/.bin` of this folder. */
function findCommand(name: string): string | undefined {
  if (process.platform === "win32") return undefined;
  if (name.includes("/")) return isExecutable(name) ? resolve(name) : undefined;
  const folders = (process.env["PATH"] ?? "").split(delimiter).filter((folder) => folder !== "");
  return [resolve("node_modules/.bin"), ...folders].map((folder) => join(folder, name)).find(isExecutable);
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}

/** First, so that what other preloads load is seen. Node takes a path with spaces in quotes. */
function withPreload(options: string | undefined, preload: string): string {
  const path = /[\s"\\]/.test(preload) ? JSON.stringify(preload) : preload;
  return `--require ${path} ${options ?? ""}`.trimEnd();
}

/**
 * Whether the system itself runs a file: one that it refuses would abort this process. A script that does not say whose it is, a shell runs,
 * and so does what starts a child.
 */
export function isSystems(file: string): boolean {
  const start = readStart(file);
  const interpreter = /^#![ \t]*(\S+)/.exec(start)?.[1];
  return interpreter === undefined ? start.includes("\0") : isExecutable(interpreter);
}

function readStart(file: string): string {
  let open: number | undefined;
  try {
    open = openSync(file, "r");
    const bytes = Buffer.alloc(256);
    return bytes.toString("latin1", 0, readSync(open, bytes));
  } catch {
    return "";
  } finally {
    if (open !== undefined) closeSync(open);
  }
}

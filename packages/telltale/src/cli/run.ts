import { type ChildProcess, type SendHandle, spawn } from "node:child_process";
import { accessSync, closeSync, constants, openSync, readSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { Server } from "node:net";
import { constants as os } from "node:os";
import { delimiter, join, resolve } from "node:path";
import { type Command, UsageError } from "./command.js";

const HELP = `telltale run [options of node] <app> [arguments]    runs a program as node does, watched

  telltale run app.js --port 80                    node --require telltale/register app.js --port 80
  telltale run --inspect --import ./setup.mjs app.mjs
  telltale run app.ts                              where Node itself strips types; else --import tsx, --require ts-node/register
  telltale run npm start                           a command, with the preload in NODE_OPTIONS; package managers are left alone
  telltale run tsx watch app.ts

All that follows "run" is given to node, or to the command, as it is. Its output, signals and exit code are those of the program, which
takes the place of this process; on Windows, and where a parent talks to it by IPC, it is a child of it.
`;

/** `telltale run`. */
export const run: Command = {
  help: HELP,
  passesOn: true,
  async run(args) {
    const [first] = args;
    if (first === undefined)
      throw new UsageError("say which program to run: telltale run app.js; see telltale run --help");
    const preload = createRequire(import.meta.url).resolve("telltale/register");
    const command = first.startsWith("-") || isProgram(first) ? undefined : findCommand(first);
    if (command === undefined) become(process.execPath, [process.argv0, "--require", preload, ...args], process.env);
    else
      become(command, [...args], { ...process.env, NODE_OPTIONS: withPreload(process.env["NODE_OPTIONS"], preload) });
  },
};

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

type Exec = (file: string, args: readonly string[], env: NodeJS.ProcessEnv) => never;

function become(file: string, args: readonly string[], env: NodeJS.ProcessEnv): void {
  const { execve } = process as { execve?: Exec };
  const isChild = execve === undefined || process.platform === "win32" || process.send !== undefined;
  if (isChild || !isSystems(file)) runAsChild(file, args, env);
  else execve.call(process, file, args, env);
}

/**
 * Whether the system itself runs a file: one that it refuses would abort this process. A script that does not say whose it is, a shell runs,
 * and so does what starts a child.
 */
function isSystems(file: string): boolean {
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

const PASSED_ON = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR2"] as const;

function runAsChild(file: string, [argv0, ...args]: readonly string[], env: NodeJS.ProcessEnv): void {
  const stdio = process.send === undefined ? "inherit" : (["inherit", "inherit", "inherit", "ipc"] as const);
  const child = spawn(file, args, {
    argv0,
    env,
    stdio: typeof stdio === "string" ? stdio : [...stdio],
    serialization: serializationOfParent(),
  });
  for (const signal of PASSED_ON) process.on(signal, () => child.kill(signal));
  const relayed = process.send === undefined ? Promise.resolve() : relay(child);
  child.on("error", ({ message }) => {
    process.stderr.write(`telltale: ${file} cannot be run: ${message}\n`);
    process.exitCode = 127;
  });
  child.on("exit", async (code, signal) => {
    await relayed;
    if (signal === null) process.exit(code ?? 0);
    for (const each of PASSED_ON) process.removeAllListeners(each);
    process.kill(process.pid, signal);
    // One that Node handles itself, or that is caught: what a shell would say.
    setTimeout(() => process.exit(128 + os.signals[signal]), 1_000);
  });
}

/** Hands on what the parent and the child say to each other, until the child is through and the parent has all of it. */
function relay(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    let awaited = 1;
    const end = (): void => {
      if (--awaited > 0) return;
      if (process.connected) process.disconnect();
      resolve();
    };
    child.on("disconnect", end);
    child.on("message", (message, handle) => {
      awaited++;
      process.send?.(message, handle, () => {
        letGo(handle);
        end();
      });
    });
    process.on("message", (message: object, handle?: SendHandle) => {
      if (child.connected) child.send(message, handle, () => letGo(handle));
    });
    process.on("disconnect", () => child.connected && child.disconnect());
  });
}

/** How a parent talks by IPC. Node keeps that to itself: what it reads with differs. */
function serializationOfParent(): "advanced" | "json" {
  const channel = valueOf(process, "kChannelHandle");
  return channel !== undefined && valueOf(channel, "kMessageBuffer") !== undefined ? "advanced" : "json";
}

function valueOf(object: object, symbol: string): object | undefined {
  const key = Object.getOwnPropertySymbols(object).find(({ description }) => description === symbol);
  return key === undefined ? undefined : (Reflect.get(object, key) as object | undefined);
}

/** A server that has come by IPC takes connections here, too, until it is closed. Sockets that were passed on are closed already. */
function letGo(handle: unknown): void {
  if (handle instanceof Server) handle.close();
}

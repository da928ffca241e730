import { type ChildProcess, type SendHandle, spawn } from "node:child_process";
import { Server } from "node:net";
import { constants as os } from "node:os";
import { isatty } from "node:tty";
import type { Invocation } from "./find-program.js";

const PASSED_ON = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR2"] as const;
/** A terminal sends these to all that run in it: passed on, they would come twice, and the second one often means "at once". */
const OF_TERMINAL: ReadonlySet<string> = new Set(["SIGINT", "SIGQUIT"]);

/** How a program ended: like a child's `exit` event, with 127 where it could not be run. */
export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** Runs a program with this process's own input and output, and ends as it does; before that, what `beforeEnd` waits for. */
export function runAsChild({ file, args, env }: Invocation, beforeEnd?: (ending: Ending) => Promise<void>): void {
  const [argv0, ...rest] = args;
  leaveInspector(env);
  const stdio = process.send === undefined ? "inherit" : (["inherit", "inherit", "inherit", "ipc"] as const);
  const child = spawn(file, rest, {
    ...(argv0 !== undefined && { argv0 }),
    env,
    stdio: typeof stdio === "string" ? stdio : [...stdio],
    serialization: serializationOfParent(),
  });
  const hasTerminal = [0, 1, 2].some((descriptor) => isatty(descriptor));
  for (const signal of PASSED_ON) {
    process.on(signal, () => {
      if (!hasTerminal || !OF_TERMINAL.has(signal)) child.kill(signal);
    });
  }
  const relayed = process.send === undefined ? Promise.resolve() : relay(child);
  child.on("error", async ({ message }) => {
    if (child.pid !== undefined) return;
    process.stderr.write(`telltale: ${file} cannot be run: ${message}\n`);
    process.exitCode = 127;
    await beforeEnd?.({ code: 127, signal: null });
  });
  child.on("exit", async (code, signal) => {
    await relayed;
    await beforeEnd?.({ code, signal });
    if (signal === null) process.exit(code ?? 0);
    for (const each of PASSED_ON) process.removeAllListeners(each);
    process.kill(process.pid, signal);
    // One that Node handles itself, or that is caught: what a shell would say.
    setTimeout(() => process.exit(128 + os.signals[signal]), 1_000);
  });
}

/** `NODE_OPTIONS=--inspect` is meant for the program: its port, this process has taken first. */
function leaveInspector({ NODE_OPTIONS = "" }: NodeJS.ProcessEnv): void {
  if (!NODE_OPTIONS.includes("--inspect")) return;
  const inspector = process.getBuiltinModule("node:inspector");
  if (inspector.url() !== undefined) inspector.close();
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

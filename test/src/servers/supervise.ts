import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/**
 * A shell between us and the server is what makes "nothing left running" true however we end: it waits for its
 * stdin, which the kernel closes when this process is gone, SIGKILL included. It is the server's parent, so the pid
 * it ends cannot have been reused, and it has a session of its own, so Ctrl-C in the terminal does not reach it first.
 * Only the server holds fd 3: that it closes tells us that the server is gone.
 * A background command begins with SIGQUIT ignored, until it sets its own handler: hence the signal is repeated. What
 * the command itself started (cp) may still write for a moment: hence so is the removal. We may be gone before we hear the pid: hence the trap.
 */
const SHELL = `
signal=$1 folder=$2; shift 2
mkdir -m 700 "$folder" && cd "$folder" || exit 1
: >log
"$@" </dev/null >log 2>&1 &
pid=$!
exec 3>&-
trap '' PIPE
echo $pid
read -r _
while kill -s "$signal" $pid; do sleep 0.05; done >/dev/null 2>&1 &
wait $pid
cd /
for _ in 1 2 3 4 5; do rm -rf -- "$folder" && break; sleep 0.1; done`;

/** The OS user a server runs as. */
export interface Owner {
  uid: number;
  gid: number;
}

export interface Supervised {
  readonly pid: number;
  readonly folder: string;
  /** Resolves when the server itself is gone. */
  readonly gone: Promise<void>;
  log(): Promise<string>;
  /** From now on this process does not stay for the server's sake: the server goes with it. */
  letGo(): void;
  /** Ends the server and removes its folder. */
  stop(): Promise<void>;
}

/** Starts `command` in a new folder of its own, which goes when the command is stopped or this process ends. */
export async function supervise(
  name: string,
  command: readonly string[],
  options: { owner?: Owner | undefined; temp?: string; signal?: "QUIT" | "KILL" } = {},
): Promise<Supervised> {
  const folder = join(options.temp ?? tmpdir(), `telltale-${name}-${randomBytes(6).toString("hex")}`);
  const shell = spawn("sh", ["-c", SHELL, "sh", options.signal ?? "KILL", folder, ...command], {
    cwd: "/",
    detached: true,
    env: { PATH: process.env["PATH"], TZ: "UTC" },
    stdio: ["pipe", "pipe", "ignore", "pipe"],
    ...options.owner,
  });
  const ended = new Promise<void>((resolve) => {
    shell.once("close", () => resolve());
    shell.once("error", () => resolve());
  });
  // EPIPE: the shell was gone before us.
  shell.stdin?.on("error", () => {});
  const alive = shell.stdio[3] as Socket;
  const gone = new Promise<void>((resolve) => {
    alive.resume().once("close", () => resolve());
  });
  const pid = await Promise.race([
    new Promise<number>((resolve) => {
      shell.stdout?.once("data", (line: Buffer) => resolve(Number(line.toString())));
    }),
    ended.then(() => Number.NaN),
  ]);
  if (Number.isNaN(pid)) throw new Error(`cannot start ${name}: no shell, or ${folder} cannot be made`);
  return {
    pid,
    folder,
    gone,
    log: () => readFile(join(folder, "log"), "utf8"),
    letGo() {
      shell.unref();
      for (const stream of [shell.stdin, shell.stdout, alive]) (stream as Socket | null)?.unref();
    },
    async stop() {
      shell.ref();
      shell.stdin?.end();
      await ended;
    },
  };
}

const PORT_TAKEN = /address already in use/i;

/**
 * Starts a server and waits until its log says that it is ready. `start` picks the port: it is called again when
 * somebody else was quicker to take it.
 */
export async function startReady<Details>(
  name: string,
  ready: RegExp,
  start: () => Promise<{ server: Supervised; details: Details }>,
): Promise<{ server: Supervised; details: Details }> {
  for (let attempt = 1; ; attempt++) {
    const started = await start();
    const { server } = started;
    const problem = await waitForLog(server, ready);
    if (problem === undefined) {
      server.letGo();
      return started;
    }
    const log = await server.log().catch(() => "");
    await server.stop();
    if (attempt < 5 && PORT_TAKEN.test(log)) continue;
    throw new Error(`${name} ${problem}:\n${log.trim().split("\n").slice(-12).join("\n")}`);
  }
}

async function waitForLog(server: Supervised, ready: RegExp): Promise<string | undefined> {
  const file = join(server.folder, "log");
  const deadline = Date.now() + 30_000;
  let ended = false;
  void server.gone.then(() => {
    ended = true;
  });
  while (Date.now() < deadline) {
    const wasEnded = ended;
    if (ready.test(readFileSync(file, "utf8"))) return undefined;
    if (wasEnded) return "ended before it was ready";
    await sleep(5);
  }
  return "was not ready after 30 s";
}

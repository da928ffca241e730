import { basename } from "node:path";
import { performance } from "node:perf_hooks";

/** It takes 1.5 ms to load, at every start of a program; a port is seldom in use. */
const files = () => process.getBuiltinModule("node:fs/promises");

/** A machine may have a hundred thousand open files. */
const MAX_MS = 1000;

/** Which process listens on a port, as far as this one may see: `process 1234 (node server.js)`. Linux only. */
export async function findPortOwner(port: number): Promise<string | undefined> {
  if (process.platform !== "linux") return undefined;
  try {
    const sockets = await listeningSockets(port);
    if (sockets.size === 0) return undefined;
    const until = performance.now() + MAX_MS;
    for (const entry of await files().readdir("/proc")) {
      if (!/^\d+$/.test(entry) || !(await holdsOne(entry, sockets, until))) continue;
      return Number(entry) === process.pid ? "this process itself" : `process ${entry}${await commandOf(entry)}`;
    }
  } catch {
    // It is only advice.
  }
  return undefined;
}

/** Links of the sockets that listen on a port, as the process file system shows them. */
async function listeningSockets(port: number): Promise<ReadonlySet<string>> {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  const tables = await Promise.all([read("/proc/net/tcp"), read("/proc/net/tcp6")]);
  const sockets = new Set<string>();
  for (const line of tables.join("\n").split("\n")) {
    // sl, local address, remote address, state, queues, timer, retransmits, user, time-out, inode
    const [, local = "", , state, , , , , , inode] = line.trim().split(/\s+/);
    if (state === LISTENING && local.endsWith(suffix)) sockets.add(`socket:[${inode}]`);
  }
  return sockets;
}

const LISTENING = "0A";

/** False too for the processes of others, which may not be looked into. */
async function holdsOne(id: string, sockets: ReadonlySet<string>, until: number): Promise<boolean> {
  if (performance.now() > until) return false;
  const open = await files()
    .readdir(`/proc/${id}/fd`)
    .catch(() => []);
  for (const file of open) {
    // One process alone may have nearly all of them.
    if (performance.now() > until) return false;
    const link = await files()
      .readlink(`/proc/${id}/fd/${file}`)
      .catch(() => "");
    if (sockets.has(link)) return true;
  }
  return false;
}

/** The program and, of Node, its script; no further arguments, which may hold secrets. */
async function commandOf(id: string): Promise<string> {
  const [program = "", ...args] = (await read(`/proc/${id}/cmdline`)).split("\0");
  if (program === "") return "";
  const name = basename(program);
  const script = name === "node" ? findScript(args) : "";
  return script === "" ? ` (${name})` : ` (node ${script})`;
}

/** Past what preloads and `--option=value`; of any other option nobody knows here whether a value follows it. */
function findScript([first = "", ...rest]: readonly string[]): string {
  if (PRELOADS.has(first)) return findScript(rest.slice(1));
  if (/^--[^=]+=/.test(first)) return findScript(rest);
  return first.startsWith("-") ? "" : first;
}

const PRELOADS: ReadonlySet<string> = new Set(["-r", "--require", "--import"]);

function read(file: string): Promise<string> {
  return files()
    .readFile(file, "utf8")
    .catch(() => "");
}

import { readdir, readFile, readlink } from "node:fs/promises";
import { basename } from "node:path";

/** Which process listens on a port, as far as this one may see: `process 1234 (node server.js)`. Linux only. */
export async function findPortOwner(port: number): Promise<string | undefined> {
  if (process.platform !== "linux") return undefined;
  try {
    const sockets = await listeningSockets(port);
    if (sockets.size === 0) return undefined;
    for (const entry of await readdir("/proc")) {
      if (!/^\d+$/.test(entry) || !(await holdsOne(entry, sockets))) continue;
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
  const tables = await Promise.all(
    ["tcp", "tcp6"].map((name) => readFile(`/proc/net/${name}`, "utf8").catch(() => "")),
  );
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
async function holdsOne(process: string, sockets: ReadonlySet<string>): Promise<boolean> {
  const files = await readdir(`/proc/${process}/fd`).catch(() => []);
  for (const file of files) {
    const link = await readlink(`/proc/${process}/fd/${file}`).catch(() => "");
    if (sockets.has(link)) return true;
  }
  return false;
}

/** The program and, of Node, its script; no further arguments, which may hold secrets. */
async function commandOf(process: string): Promise<string> {
  const [program = "", script = ""] = (await readFile(`/proc/${process}/cmdline`, "utf8").catch(() => "")).split("\0");
  if (program === "") return "";
  const name = basename(program);
  return name === "node" && script !== "" && !script.startsWith("-") ? ` (node ${script})` : ` (${name})`;
}

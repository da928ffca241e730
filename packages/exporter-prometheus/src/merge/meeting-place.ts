import { createHash } from "node:crypto";
import { lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, unlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { sayOnce, VERSION } from "@telltale/core";
import { isNetworkDenied } from "../listen.js";

/** Longer paths of sockets do not exist: 104 bytes on macOS, 108 on Linux. */
const MAX_PATH = 100;
/** Of those who share no port and meet by the process that began. */
const BY_PROCESS = /^pid-(\d+)-(.*)$/;

/** What processes must have in common to be one to Prometheus. */
export interface Company {
  readonly service: string;
  readonly host: string;
  readonly port: number;
}

/**
 * The path of the socket at which the processes of a company meet: in a folder that only this user can enter, so whoever is found there
 * is no stranger. Undefined where there is no such folder.
 */
export function meetingPlace(company: Company): string | undefined {
  // Containers may share the folder for temporary files and not the port.
  const parts = [VERSION, company.service, company.host, company.port, namespace("net")];
  return placeIn(ownFolder(), createHash("sha256").update(JSON.stringify(parts)).digest("hex").slice(0, 24));
}

/** Where the threads and workers of a process meet it that has a port of its own. */
export function meetingPlaceOf(pid: number): string | undefined {
  return placeIn(ownFolder(), `pid-${pid}-${namespace("pid")}`);
}

function placeIn(folder: string | undefined, name: string): string | undefined {
  if (folder === undefined) return undefined;
  const path = join(folder, name);
  return Buffer.byteLength(path) > MAX_PATH ? undefined : path;
}

/** A folder of this user alone; undefined where somebody else has made it, or nothing can be written. */
function ownFolder(): string | undefined {
  const uid = process.getuid?.();
  // Windows: named pipes are open to all, and nothing here was tried on it.
  if (uid === undefined || isNetworkDenied()) return undefined;
  const folder = join(tmpdir(), `telltale-${uid}`);
  try {
    mkdirSync(folder, { mode: 0o700 });
    return folder;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code !== "EEXIST") {
      // Under `--permission` few programs may write anywhere.
      const level = code === "ERR_ACCESS_DENIED" ? "debug" : "info";
      sayOnce(level, `metrics of several processes are not merged: ${message}`);
      return undefined;
    }
  }
  const found = lstatSync(folder, { throwIfNoEntry: false });
  if (found?.isDirectory() && found.uid === uid && (found.mode & 0o077) === 0) return folder;
  sayOnce("info", `metrics of several processes are not merged: ${folder} is not a folder of this user alone`);
  return undefined;
}

/** Linux: which of several networks, or sets of process ids, this process is in. */
function namespace(kind: "net" | "pid"): string {
  try {
    return readlinkSync(`/proc/self/ns/${kind}`).replace(/\D/g, "");
  } catch {
    return "";
  }
}

/** Makes a place free, and all that were left by processes that were killed; those of ports wait for whoever has the port next. */
export function clearPlace(path: string): void {
  removeSocket(path);
  const folder = dirname(path);
  try {
    for (const name of readdirSync(folder)) {
      const [, pid = "", pids] = BY_PROCESS.exec(name) ?? [];
      if (pids === namespace("pid") && !isAlive(Number(pid))) removeSocket(join(folder, name));
    }
  } catch {
    // Then they stay.
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Leaves word of the process that takes over from the one at a place, for whoever finds that one gone; undefined for nobody. */
export function nameHeir(path: string, pid: number | undefined): void {
  try {
    if (pid === undefined) unlinkSync(path + HEIR);
    else writeFileSync(path + HEIR, String(pid), { mode: 0o600 });
  } catch {
    // Then the first who comes takes over.
  }
}

const HEIR = ".heir";

/** Whether another process lives that is to take over at a place. */
export function hasLivingHeir(path: string): boolean {
  try {
    const pid = Number(readFileSync(path + HEIR, "utf8"));
    return pid > 0 && pid !== process.pid && isAlive(pid);
  } catch {
    return false;
  }
}

export function removeSocket(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // It was not there.
  }
}

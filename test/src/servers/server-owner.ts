import { execFile } from "node:child_process";
import { stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname } from "node:path";
import { promisify } from "node:util";
import type { Owner } from "./supervise.js";

export interface ServerOwner {
  /** Databases refuse to run as root; undefined: as ourselves. */
  owner: Owner | undefined;
  /** Where `owner` can reach its files. */
  temp: string;
}

const run = promisify(execFile);

export async function findOwner(): Promise<ServerOwner> {
  if (process.getuid?.() !== 0) return { owner: undefined, temp: tmpdir() };
  const [uid, gid] = await Promise.all([run("id", ["-u", "nobody"]), run("id", ["-g", "nobody"])]);
  return {
    owner: { uid: Number(uid.stdout), gid: Number(gid.stdout) },
    temp: (await reachable(tmpdir(), 0o003)) ? tmpdir() : "/tmp",
  };
}

/** Whether everybody has these rights on it, and may go there. */
export async function reachable(path: string, rights = 0o001): Promise<boolean> {
  if (((await stat(path)).mode & rights) !== rights) return false;
  return path === dirname(path) || reachable(dirname(path));
}

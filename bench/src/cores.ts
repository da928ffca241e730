import { execFileSync } from "node:child_process";

/** Which core does what. */
export interface Cores {
  /** Nothing but the service under test, one at a time, and what its preload starts. */
  readonly server: number;
  /** The load and the collectors. */
  readonly load: number;
  /** The databases and the bench itself: all that are left, or the load's. */
  readonly rest: readonly number[];
}

/** Undefined where nothing can be pinned: one core only, or no `taskset`. */
export function planCores(allowed: readonly number[]): Cores | undefined {
  const [server, load, ...rest] = allowed;
  if (server === undefined || load === undefined) return undefined;
  return { server, load, rest: rest.length > 0 ? rest : [load] };
}

/** The cores this process may use, as far as `taskset` knows. */
export function allowedCores(): number[] {
  if (!isInstalled("taskset")) return [];
  const said = execFileSync("taskset", ["-cp", String(process.pid)], { encoding: "utf8" });
  return parseCoreList(said.slice(said.lastIndexOf(":") + 1));
}

/** `0-2,7` as numbers. */
export function parseCoreList(list: string): number[] {
  return list
    .trim()
    .split(",")
    .flatMap((part) => {
      const [first = Number.NaN, last = first] = part.split("-").map(Number);
      return Array.from({ length: last - first + 1 }, (_, i) => first + i);
    });
}

export function isInstalled(program: string): boolean {
  try {
    execFileSync("sh", ["-c", 'command -v "$1"', "sh", program], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

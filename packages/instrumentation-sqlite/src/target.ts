import { basename } from "node:path";
import { createTargets, type DatabaseTarget } from "@telltale/core";

const findPlace = createTargets("sqlite", () => undefined);

/** The target of a database by where it is stored; undefined where that is not known. */
export function findTarget(library: "better-sqlite3" | "node:sqlite", location: string | undefined): DatabaseTarget {
  return findPlace({
    system: "sqlite",
    namespace: nameOf(location),
    serverAddress: undefined,
    serverPort: undefined,
    poolName: undefined,
    library,
  });
}

/** A file's name without its folder, and what follows in a URI, which may be a key; undefined for a database in memory. */
export function nameOf(location: string | undefined): string | undefined {
  if (location === undefined || location === "" || location === ":memory:") return undefined;
  const path = location.startsWith("file:") ? location.slice("file:".length).replace(/[?#].*$/s, "") : location;
  const name = basename(path);
  return name === "" || name === ":memory:" ? undefined : name;
}

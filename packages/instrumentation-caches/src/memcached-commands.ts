import type { DatabaseTemplate, KeyUse } from "@telltale/core";

/** What is known of a command of Memcached by its name. */
export interface CommandFacts {
  /** `db.operation.name`. */
  readonly name: string;
  readonly effect: DatabaseTemplate["effect"];
  readonly isLookup: boolean;
  /** What one that looks nothing up does to its key: who counts, appends, or adds only where nothing is, depends on what is there. */
  readonly use: KeyUse | undefined;
}

const FACTS = new Map<string, CommandFacts>([
  ...["get", "gets"].map((name) => factsOf(name, "read", undefined, true)),
  factsOf("set", "write", "write"),
  ...["add", "replace", "append", "prepend", "cas", "incr", "decr"].map((name) => factsOf(name, "write", "use")),
  ...["delete", "touch", "flush_all"].map((name) => factsOf(name, "write", undefined)),
]);

function factsOf(
  name: string,
  effect: CommandFacts["effect"],
  use: KeyUse | undefined,
  isLookup = false,
): [string, CommandFacts] {
  return [name, { name: name.toUpperCase(), effect, isLookup, use }];
}

/** The facts of a command; `stats`, `version` and all others are of the server, and not of what it holds. */
export function commandFacts(name: string): CommandFacts {
  return FACTS.get(name) ?? factsOf(name, "control", undefined)[1];
}

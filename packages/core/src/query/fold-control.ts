import type { Token } from "./tokenize.js";

/**
 * What a statement of control names is a value: `SET x = …` to its end, the savepoint, the prepared statement.
 * Libraries number these, and PostgreSQL's query id leaves them out, too. Gives the token from which on all is `?`.
 */
export function controlValue(tokens: readonly Token[], start: number): number | undefined {
  const verb = tokens[start]?.kind === "word" ? tokens[start].key : "";
  if (verb === "set") {
    for (let at = start + 1; isInStatement(tokens, at); at += 1) {
      const key = tokens[at]?.key;
      if (key === "=" || key === "to" || key === ":=") return isInStatement(tokens, at + 1) ? at + 1 : undefined;
    }
    return undefined;
  }
  if (verb !== "savepoint" && verb !== "release" && verb !== "rollback" && verb !== "deallocate") return undefined;
  let last = start;
  let names = verb !== "rollback";
  while (isInStatement(tokens, last + 1)) {
    last += 1;
    if (tokens[last]?.key === "to") names = true;
  }
  return names && last > start && tokens[last]?.key !== "all" ? last : undefined;
}

export function isInStatement(tokens: readonly Token[], at: number): boolean {
  return at < tokens.length && tokens[at]?.text !== ";";
}

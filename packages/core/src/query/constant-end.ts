import type { Token } from "./tokenize.js";

/** The position after a constant or parameter with its sign, type and casts; the end where it is cut off. */
export function constantEnd(tokens: readonly Token[], start: number): number | undefined {
  let at = start;
  if (tokens[at]?.text === "-") at += 1;
  // date '…', timestamp with time zone '…'
  else if (!isConstantWord(tokens[at])) while (at < start + 4 && isTypeName(tokens[at])) at += 1;
  if (at >= tokens.length) return tokens.length;
  const token = tokens[at];
  if (token?.kind !== "literal" && token?.kind !== "param" && !isConstantWord(token)) return undefined;
  at += 1;
  while (tokens[at]?.text === "::") {
    at += 1;
    while (isTypePart(tokens, at)) at += 1;
  }
  return at;
}

function isConstantWord(token: Token | undefined): boolean {
  return token?.kind === "word" && (token.key === "true" || token.key === "false" || token.key === "null");
}

function isTypeName(token: Token | undefined): boolean {
  return token?.kind === "word" && token.key !== "select" && token.key !== "not";
}

function isTypePart(tokens: readonly Token[], at: number): boolean {
  const token = tokens[at];
  if (token === undefined) return false;
  return token.kind === "word" || token.kind === "name" || token.text === ".";
}

import { AFTER_ORDER } from "./keywords.js";
import type { Token } from "./tokenize.js";

/**
 * 64 bits as 16 hex digits, of two lanes of 32 (BigInt costs ten times as much). Case, white space, comments and
 * quotes that change nothing do not count; what a literal holds does not either, but for the positions in a query's
 * ORDER BY and GROUP BY, which name columns.
 */
export function fingerprint(tokens: readonly Token[]): string {
  let high = 0x9e3779b9;
  let low = 0x85ebca6b;
  /** Per open parenthesis: 0 no query, 1 a query, 2 in its ORDER BY or GROUP BY. */
  const clauses: number[] = [1];
  for (let i = 0; i < tokens.length; i += 1) {
    const token = tokens[i];
    if (token === undefined) break;
    trackClause(clauses, tokens, i, token);
    const key = keyOf(tokens, i, token, clauses.at(-1) === 2);
    for (let at = 0; at < key.length; at += 1) {
      const code = key.charCodeAt(at);
      high = Math.imul(high ^ code, 0x01000193);
      low = Math.imul(low ^ code, 0x5bd1e995) ^ (low >>> 15);
    }
    // Keeps "ab c" apart from "a bc".
    high = Math.imul(high ^ 0x1ffff, 0x01000193) ^ (high >>> 13);
    low = Math.imul(low ^ 0x1ffff, 0x5bd1e995) ^ (low >>> 15);
  }
  return hex(finish(high ^ Math.imul(low, 0x2c1b3c6d))) + hex(finish(low ^ tokens.length));
}

function keyOf(tokens: readonly Token[], i: number, token: Token, inOrder: boolean): string {
  switch (token.kind) {
    case "literal":
      if (token.key === "?,..." || (inOrder && isPosition(tokens, i))) return token.key;
      return "?";
    case "name":
      // "orders" is orders; "Orders" is not.
      return /^["`[][a-z_][a-z0-9_]*["`\]]$/.test(token.text) ? token.text.slice(1, -1) : token.text;
    case "sign":
      return token.text === "!=" ? "<>" : token.text;
    case "word":
      return token.key;
    case "param":
      return token.text;
  }
}

function isPosition(tokens: readonly Token[], i: number): boolean {
  const before = tokens[i - 1]?.key;
  if (before !== "by" && before !== ",") return false;
  const after = tokens[i + 1];
  return after === undefined || after.kind === "word" || after.text === "," || after.text === ")" || after.text === ";";
}

function trackClause(clauses: number[], tokens: readonly Token[], i: number, token: Token): void {
  const last = clauses.length - 1;
  if (token.text === "(") {
    const next = tokens[i + 1]?.key;
    clauses.push(next === "select" || next === "with" || next === "values" || next === "(" ? 1 : 0);
  } else if (token.text === ")") {
    if (last > 0) clauses.pop();
  } else if (token.text === ";") {
    clauses.length = 1;
    clauses[0] = 1;
  } else if (token.kind === "word" && clauses[last] !== 0) {
    if (token.key === "by") clauses[last] = 2;
    else if (AFTER_ORDER.has(token.key)) clauses[last] = 1;
  }
}

/** Every input bit reaches every output bit. */
function finish(lane: number): number {
  let mixed = Math.imul(lane ^ (lane >>> 16), 0x7feb352d);
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x846ca68b);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}

function hex(lane: number): string {
  return lane.toString(16).padStart(8, "0");
}

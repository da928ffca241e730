import type { Query } from "./driver.js";

/** The text of a query that was not sent, as far as it can be told: what helpers would have written is one value each. */
export function textOf(query: Query): string {
  let values = 0;
  return write(query, () => `$${(values += 1)}`);
}

function write({ strings, args }: Query, nextValue: () => string): string {
  let text = strings[0] ?? "";
  for (let at = 1; at < strings.length; at += 1) {
    const value = args[at - 1];
    text += isFragment(value) ? write(value, nextValue) : nextValue();
    text += strings[at] ?? "";
  }
  return text;
}

function isFragment(value: unknown): value is Query {
  return value instanceof Promise && "strings" in value && "args" in value;
}

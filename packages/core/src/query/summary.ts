import type { Token } from "./tokenize.js";
import { summarizeStatement } from "./statement.js";
import type { QueryShape } from "./query-shape.js";

type Summary = Pick<QueryShape, "summary" | "operationName" | "collection" | "effect">;

const MAX_LENGTH = 255;

/**
 * Operations and their targets, in order, as they are written, as OpenTelemetry's `db.query.summary` says:
 * https://opentelemetry.io/docs/specs/semconv/db/database-spans/#generating-a-summary-of-the-query
 */
export function summarize(tokens: readonly Token[]): Summary {
  const summaries: string[] = [];
  const tables = new Set<string>();
  let operationName: string | undefined;
  let effect: QueryShape["effect"] = "control";
  let start = 0;
  while (start < tokens.length) {
    let end = start;
    while (end < tokens.length && tokens[end]?.text !== ";") end += 1;
    if (end > start) {
      const statement = summarizeStatement(tokens, start, end);
      summaries.push(statement.words.join(" "));
      for (const table of statement.tables) tables.add(table);
      operationName ??= statement.operationName;
      if (statement.effect === "write" || effect === "control") effect = statement.effect;
    }
    start = end + 1;
  }
  const [table] = tables;
  return {
    summary: cut(summaries.join("; ")),
    operationName,
    // Taken from a text of its own: a slice would keep the whole query in memory.
    collection: tables.size === 1 && table !== undefined ? ` ${table}`.slice(1) : undefined,
    effect,
  };
}

function cut(summary: string): string {
  if (summary.length <= MAX_LENGTH) return summary;
  const word = summary.lastIndexOf(" ", MAX_LENGTH);
  return summary.slice(0, word > 0 ? word : MAX_LENGTH).replace(/;$/, "");
}

import { useMemo } from "preact/hooks";
import { layOutJson } from "../json-layout.js";
import { showLines } from "../show-text.js";
import { layOutSql } from "../sql-layout.js";
/** A query's text in lines, with its words told apart; MongoDB's JSON is spread, and anything else stands as it came. */
export function SqlText({ text }: { readonly text: string }) {
  const shown = showLines(text);
  const lines = useMemo(() => layOutSql(shown), [shown]);
  return (
    <pre class="sql" tabIndex={0} aria-label="Query text">
      <code>
        {lines === undefined
          ? layOutJson(shown)
          : lines.map((line, i) => (
              <span key={i}>
                {"  ".repeat(line.indent)}
                {line.tokens.map((token, j) => [
                  j > 0 && token.isApart ? " " : "",
                  token.kind === "other" ? token.text : <span class={`sql-${token.kind}`}>{token.text}</span>,
                ])}
                {"\n"}
              </span>
            ))}
      </code>
    </pre>
  );
}

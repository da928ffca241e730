import { useState } from "preact/hooks";
import type { TraceLog } from "../../../src/api/answers.js";
import { formatMs } from "../../format.js";
import { showLine } from "../../show-text.js";
import { AttributeTable } from "./attribute-table.js";

const MOST = 200;

/** Logs in the order of their times, each with what else it says. */
export function LogList({
  logs,
  onSpan,
}: {
  readonly logs: readonly TraceLog[];
  /** Where given, a log leads to its span. */
  readonly onSpan?: ((spanId: string) => void) | undefined;
}) {
  const [most, setMost] = useState(MOST);
  return (
    <>
      <ul class="logs">
        {logs.slice(0, most).map((log, number) => (
          <li key={number}>
            <details>
              <summary>
                <span class="num">{formatMs(log.timeMs)}</span> <Severity text={log.severity} />{" "}
                {log.eventName && <b>{showLine(log.eventName, 80)}</b>} <bdi>{showLine(log.body, 300)}</bdi>
              </summary>
              {onSpan && log.spanId !== null && (
                <button type="button" onClick={() => onSpan(log.spanId ?? "")}>
                  Show the span
                </button>
              )}
              <AttributeTable attributes={{ body: log.body, ...log.attributes }} label="What the log says" />
            </details>
          </li>
        ))}
      </ul>
      {logs.length > most && (
        <button type="button" onClick={() => setMost(most + MOST)}>
          {logs.length - most} more
        </button>
      )}
    </>
  );
}

function Severity({ text }: { readonly text: string }) {
  const name = text.toLowerCase();
  const [sign, tone] =
    name.startsWith("err") || name.startsWith("fatal")
      ? ["✕", "bad"]
      : name.startsWith("warn")
        ? ["▲", "warn"]
        : ["◆", "dim"];
  return (
    <span class={tone}>
      {sign} {showLine(text, 12)}
    </span>
  );
}

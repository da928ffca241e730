import type { TraceLog } from "../../../src/api/answers.js";
import { formatMs } from "../../format.js";
import { showLine } from "../../show-text.js";
import { isWorthDrawing } from "./bar-pieces.js";
import type { Row } from "./lay-out-rows.js";
import { place, type TimeRange } from "./time-range.js";
import type { TraceModel } from "./trace-model.js";

const percent = (share: number): string => `${(share * 100).toFixed(3)}%`;

/** Marks of logs and events on one line; more would be a smear. */
const MOST_MARKS = 60;

/** A line's piece of the time axis: the bar, what it waited for, and what was logged meanwhile. */
export function SpanBar({
  model,
  row,
  range,
}: {
  readonly model: TraceModel;
  readonly row: Row;
  readonly range: TimeRange;
}) {
  const span = model.trace.spans[row.index];
  if (!span) return null;
  const { whole, busy } = model.barOf(row);
  const colour = (model.services.get(span.service)?.colour ?? 0) + 1;
  const bar = place(whole.fromMs, whole.toMs - whole.fromMs, range);
  const members = row.members ?? [row.index];
  const isCritical = members.some((index) => model.trace.spans[index]?.isCritical);
  const isError = members.some((index) => model.trace.spans[index]?.status === "error");
  return (
    <>
      {bar ? (
        <div
          class="wf-bar"
          data-colour={colour}
          data-group={row.members ? "" : undefined}
          style={{ left: percent(bar.left), width: percent(bar.width) }}
        />
      ) : (
        <span class="wf-beyond" style={whole.toMs < range.fromMs ? { left: "2px" } : { right: "2px" }}>
          {whole.toMs < range.fromMs ? "◂" : "▸"}
        </span>
      )}
      {busy.map((piece) => (
        <Piece key={piece.fromMs} class="wf-busy" from={piece.fromMs} to={piece.toMs} range={range} colour={colour} />
      ))}
      {members.length <= MOST_MARKS &&
        members.map((index) => {
          const one = model.trace.spans[index];
          if (!one) return null;
          const endMs = one.startMs + one.durationMs;
          const waitedMs = Math.min(one.poolWaitMs, one.durationMs);
          const delayedMs = Math.min(one.loopDelayMs, one.durationMs);
          return (
            <>
              {isWorthDrawing(waitedMs, one) && (
                <Piece
                  title={`${formatMs(waitedMs)} of waiting for a connection`}
                  class="wf-wait"
                  from={one.startMs}
                  to={one.startMs + waitedMs}
                  range={range}
                  colour={colour}
                />
              )}
              {isWorthDrawing(delayedMs, one) && (
                <Piece
                  title={`${formatMs(delayedMs)} of waiting for the event loop`}
                  class="wf-loop"
                  from={endMs - delayedMs}
                  to={endMs}
                  range={range}
                  colour={colour}
                />
              )}
            </>
          );
        })}
      {bar && isCritical && <div class="wf-critical" style={{ left: percent(bar.left), width: percent(bar.width) }} />}
      {bar && isError && (
        <span class="wf-error" style={{ left: percent(Math.min(bar.left + bar.width, 0.985)) }}>
          ✕
        </span>
      )}
      <Marks model={model} members={members} range={range} />
    </>
  );
}

function Piece({
  class: name,
  from,
  to,
  range,
  colour,
  title,
}: {
  readonly class: string;
  readonly title?: string;
  readonly from: number;
  readonly to: number;
  readonly range: TimeRange;
  readonly colour: number;
}) {
  const at = place(from, to - from, range);
  if (!at) return null;
  return (
    <div class={name} data-colour={colour} title={title} style={{ left: percent(at.left), width: percent(at.width) }} />
  );
}

interface Mark {
  readonly at: number;
  readonly is: "log" | "event";
  readonly what: string;
}

function Marks({
  model,
  members,
  range,
}: {
  readonly model: TraceModel;
  readonly members: readonly number[];
  readonly range: TimeRange;
}) {
  const marks: Mark[] = [];
  for (const index of members) {
    const { startMs = 0, events = [] } = model.trace.spans[index] ?? {};
    addLogs(
      marks,
      (model.logsAt.get(index) ?? []).flatMap((number) => model.trace.logs[number] ?? []),
      range,
    );
    for (const event of events) {
      if (marks.length >= MOST_MARKS) break;
      const at = place(event.timeMs, 0, range);
      if (at) marks.push({ at: at.left, is: "event", what: `${event.name}, ${formatMs(event.timeMs - startMs)} in` });
    }
    if (marks.length >= MOST_MARKS) break;
  }
  return <DrawnMarks marks={marks} />;
}

/** Logs of no span, on the time axis itself. */
export function LogMarks({ logs, range }: { readonly logs: readonly TraceLog[]; readonly range: TimeRange }) {
  const marks: Mark[] = [];
  addLogs(marks, logs, range);
  return <DrawnMarks marks={marks} />;
}

function addLogs(marks: Mark[], logs: readonly TraceLog[], range: TimeRange): void {
  for (const { timeMs, severity, eventName, body } of logs) {
    if (marks.length >= MOST_MARKS) return;
    const at = place(timeMs, 0, range);
    if (at) marks.push({ at: at.left, is: "log", what: `${severity} ${eventName || body}` });
  }
}

function DrawnMarks({ marks }: { readonly marks: readonly Mark[] }) {
  return (
    <>
      {marks.map(({ at, is, what }, number) => (
        <i key={number} class="wf-mark" data-is={is} style={{ left: percent(at) }} title={showLine(what, 200)} />
      ))}
    </>
  );
}

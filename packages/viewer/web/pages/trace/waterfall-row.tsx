import { formatKind, formatMs } from "../../format.js";
import { showLine } from "../../show-text.js";
import type { Row } from "./lay-out-rows.js";
import { nameSpan } from "./name-span.js";
import { ServiceBadge } from "./service-badge.js";
import { SpanBar } from "./span-bar.js";
import type { TimeRange } from "./time-range.js";
import type { TraceModel } from "./trace-model.js";

/** Of a name: the line shows what it has room for. */
const LONGEST = 2000;
/** Deeper lines are indented no further: names need room, too. */
const DEEPEST = 16;

/** One line: a span, or a group of those that are alike. */
export function WaterfallRow({
  id,
  model,
  row,
  place,
  top,
  range,
  isChosen,
  isMatch,
  onChoose,
  onFold,
}: {
  readonly id: string;
  readonly model: TraceModel;
  readonly row: Row;
  /** Among all lines, from 0. */
  readonly place: number;
  readonly top: number;
  readonly range: TimeRange;
  readonly isChosen: boolean;
  readonly isMatch: boolean;
  readonly onChoose: () => void;
  readonly onFold: () => void;
}) {
  const span = model.trace.spans[row.index];
  if (!span) return null;
  const members = row.members ?? [row.index];
  const spans = members.map((index) => model.trace.spans[index] ?? span);
  const isCritical = spans.some((one) => one.isCritical);
  const durationMs = spans.reduce((sum, one) => sum + one.durationMs, 0);
  const below = model.tree.below[row.index] ?? 0;
  return (
    <div
      id={id}
      class="wf-row"
      data-row={row.key}
      role="row"
      aria-level={row.level + 1}
      aria-posinset={row.position}
      aria-setsize={row.brothers}
      aria-rowindex={place + 2}
      aria-expanded={row.canOpen ? row.isOpen : undefined}
      aria-selected={isChosen}
      data-match={isMatch ? "" : undefined}
      style={{ transform: `translateY(${top}px)` }}
      onClick={onChoose}
    >
      <div class="wf-name" role="gridcell">
        <span class="wf-indent" style={{ width: `${Math.min(row.level, DEEPEST) * 12}px` }} />
        {row.level > DEEPEST && <small>{row.level}</small>}
        <span
          class="wf-fold"
          aria-hidden="true"
          onClick={(event) => {
            if (!row.canOpen) return;
            event.stopPropagation();
            onFold();
          }}
        >
          {row.canOpen ? (row.isOpen ? "▾" : "▸") : ""}
        </span>
        <ServiceBadge model={model} service={span.service} />
        <span class="wf-text" data-critical={isCritical ? "" : undefined} title={showLine(nameSpan(span), 500)}>
          {row.members && <b class="wf-times">{row.members.length} ×</b>} <bdi>{showLine(nameSpan(span), LONGEST)}</bdi>
        </span>
        {isCritical && <span class="visually-hidden">, on the critical path</span>}
        {!row.isOpen && !row.members && <small class="wf-count">+{below}</small>}
        <Chips model={model} row={row} spans={spans} />
      </div>
      <div class="wf-ms num" role="gridcell">
        {formatMs(durationMs)}
      </div>
      <div class="wf-time" role="gridcell" data-timeline="">
        <SpanBar model={model} row={row} range={range} />
      </div>
    </div>
  );
}

type Span = TraceModel["trace"]["spans"][number];

function Chips({
  model,
  row,
  spans,
}: {
  readonly model: TraceModel;
  readonly row: Row;
  readonly spans: readonly Span[];
}) {
  const errors = spans.filter(({ status }) => status === "error").length;
  const kinds = new Set(spans.flatMap(({ finding }) => finding ?? []));
  // What is about a loop is about no single turn of it.
  for (const number of row.members ? (model.findings.findingsAt.get(row.index) ?? []) : [])
    kinds.add(model.trace.findings[number]?.kind ?? "");
  const isOrphan = spans.some((span) => span.isOrphan);
  const isMoved = spans.some(({ skewMs }) => skewMs !== 0);
  return (
    <>
      {errors > 0 && <span class="wf-chip bad">✕ {errors > 1 ? `${errors} errors` : "error"}</span>}
      {[...kinds].slice(0, 3).map((kind) => (
        <span key={kind} class="wf-chip warn">
          ▲ {showLine(formatKind(kind), 30)}
        </span>
      ))}
      {isOrphan && (
        <span class="wf-chip" title="Its parent was named and never came">
          orphan
        </span>
      )}
      {isMoved && (
        <span class="wf-chip" title="Moved into its parent: the clocks of their machines disagree">
          clock moved
        </span>
      )}
    </>
  );
}

import type { Trace, TraceSpan } from "../api/answers.js";
import { clean } from "./clean.js";
import { describeMs } from "./describe-time.js";

const BAR_CELLS = 20;
/** Deeper ones are drawn no further to the right. */
const MAX_INDENT = 20;
/** Fewer brothers that are alike are drawn one by one. */
const MIN_REPEATS = 3;

/** One line: a span, or brothers that are alike. */
export interface Row {
  readonly spanId: string;
  readonly depth: number;
  readonly name: string;
  readonly service: string;
  readonly startMs: number;
  /** Of repeats, from the first one's begin to the last one's end. */
  readonly durationMs: number;
  readonly repeats: number;
  /** Of all repeats together. */
  readonly totalMs: number;
  readonly isCritical: boolean;
  readonly isError: boolean;
  readonly finding: string | null;
}

export interface Waterfall {
  readonly lines: readonly string[];
  readonly rows: readonly Row[];
  /** Spans that no line stands for. */
  readonly hidden: number;
}

interface Draft {
  readonly above: Draft | undefined;
  readonly depth: number;
  readonly spans: TraceSpan[];
  /** Spans it stands for: with those below repeats. */
  held: number;
}

/** Draws the trace in at most so many lines: what failed or was found, then the longest spans, with those they are in. */
export function drawWaterfall(trace: Trace, maxLines: number): Waterfall {
  const drafts = groupRepeats(trace.spans);
  const kept = keepLongest(drafts, maxLines);
  const rows = kept.map(toRow);
  const lines = kept.map((draft, index) => drawLine(draft, rows[index] as Row, trace.durationMs));
  const shown = kept.reduce((sum, { held }) => sum + held, 0);
  return { lines, rows, hidden: trace.spans.length - shown };
}

/** In the order of the spans; `parent` of a draft is an index of drafts. What is below repeats is held by their line. */
function groupRepeats(spans: readonly TraceSpan[]): Draft[] {
  const counts = new Map<string, number>();
  const keys = spans.map(({ parent, group }) => (group === null ? undefined : `${parent} ${group}`));
  for (const key of keys) {
    if (key !== undefined) counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  const drafts: Draft[] = [];
  const groups = new Map<string, Draft>();
  const draftOf: Draft[] = [];
  const holds: boolean[] = [];
  for (const [index, span] of spans.entries()) {
    const above = draftOf[span.parent];
    if (above !== undefined && holds[span.parent] === true) {
      above.held += 1;
      draftOf[index] = above;
      holds[index] = true;
      continue;
    }
    const key = keys[index];
    const isRepeated = key !== undefined && (counts.get(key) ?? 0) >= MIN_REPEATS;
    let draft = isRepeated ? groups.get(key) : undefined;
    if (draft === undefined) {
      draft = { above, depth: above === undefined ? 0 : above.depth + 1, spans: [], held: 0 };
      drafts.push(draft);
      if (isRepeated) groups.set(key, draft);
    }
    draft.spans.push(span);
    draft.held += 1;
    draftOf[index] = draft;
    holds[index] = isRepeated;
  }
  return drafts;
}

function keepLongest(drafts: readonly Draft[], maxLines: number): readonly Draft[] {
  if (drafts.length <= maxLines) return drafts;
  const kept = new Set<Draft>();
  const byLength = drafts
    .map((draft) => ({
      draft,
      isTold: draft.spans.some(({ status, finding }) => status === "error" || finding !== null),
      totalMs: draft.spans.reduce((sum, { durationMs }) => sum + durationMs, 0),
    }))
    .sort((a, b) => Number(b.isTold) - Number(a.isTold) || b.totalMs - a.totalMs);
  for (const { draft } of byLength) {
    const wanted: Draft[] = [];
    for (let one: Draft | undefined = draft; one !== undefined && !kept.has(one); one = one.above) {
      wanted.push(one);
      if (wanted.length > maxLines) break;
    }
    if (kept.size + wanted.length > maxLines) continue;
    for (const one of wanted) kept.add(one);
    if (kept.size === maxLines) break;
  }
  return drafts.filter((draft) => kept.has(draft));
}

function toRow({ spans, depth }: Draft): Row {
  const [first] = spans as [TraceSpan, ...TraceSpan[]];
  let end = 0;
  let totalMs = 0;
  for (const { startMs, durationMs } of spans) {
    end = Math.max(end, startMs + durationMs);
    totalMs += durationMs;
  }
  return {
    spanId: first.spanId,
    depth,
    name: clean(first.name, 120),
    service: first.service,
    startMs: first.startMs,
    durationMs: spans.length === 1 ? first.durationMs : end - first.startMs,
    repeats: spans.length,
    totalMs,
    isCritical: spans.some(({ isCritical }) => isCritical),
    isError: spans.some(({ status }) => status === "error"),
    finding: spans.find(({ finding }) => finding !== null)?.finding ?? null,
  };
}

function drawLine({ spans, above }: Draft, row: Row, traceMs: number): string {
  const [first] = spans as [TraceSpan, ...TraceSpan[]];
  const queryText = first.attributes["db.query.text"];
  const facts = [
    row.repeats > 1 ? `${describeMs(row.totalMs)} together, ${rangeOf(spans)} each` : "",
    first.service === above?.spans[0]?.service ? "" : `service ${clean(first.service, 60)}`,
    first.kind === "internal" || first.kind === "unspecified" ? "" : first.kind,
    typeof queryText === "string" && queryText !== first.name ? clean(queryText, 160) : "",
    sayTotal(spans, "poolWaitMs", "waited for a connection"),
    sayTotal(spans, "loopDelayMs", "kept by the event loop"),
    row.isError
      ? `ERROR ${clean(spans.find(({ status }) => status === "error")?.statusMessage ?? "", 120)}`.trim()
      : "",
    row.finding === null ? "" : `finding ${clean(row.finding, 40)}`,
    first.isOrphan ? "its parent never came" : "",
    first.skewMs === 0 ? "" : `clock moved by ${describeMs(first.skewMs)}`,
    `span ${clean(first.spanId, 20)}`,
  ].filter((fact) => fact !== "");
  const name = `${row.repeats > 1 ? `${row.repeats}× ` : ""}${row.name}`;
  const begin = describeMs(row.startMs).padStart(10);
  const length = describeMs(row.durationMs).padStart(10);
  const indent = "  ".repeat(Math.min(row.depth, MAX_INDENT));
  return `${begin} ${length} ${drawBar(row, traceMs)}${row.isCritical ? "*" : " "} ${indent}${name} · ${facts.join(" · ")}`;
}

function drawBar({ startMs, durationMs }: Row, traceMs: number): string {
  const cell = (ms: number) => Math.min(Math.max(Math.floor((ms / traceMs) * BAR_CELLS) || 0, 0), BAR_CELLS - 1);
  const from = cell(startMs);
  const to = Math.max(from, cell(startMs + durationMs));
  return `${".".repeat(from)}${"#".repeat(to - from + 1)}${".".repeat(BAR_CELLS - 1 - to)}`;
}

function rangeOf(spans: readonly TraceSpan[]): string {
  let least = Infinity;
  let most = 0;
  for (const { durationMs } of spans) {
    least = Math.min(least, durationMs);
    most = Math.max(most, durationMs);
  }
  return `${describeMs(least)} to ${describeMs(most)}`;
}

function sayTotal(spans: readonly TraceSpan[], name: "poolWaitMs" | "loopDelayMs", what: string): string {
  const total = spans.reduce((sum, span) => sum + span[name], 0);
  return total > 0 ? `${describeMs(total)} ${what}` : "";
}

import type { Trace, TraceLog } from "../../../src/api/answers.js";
import { makeBar, type Bar } from "./bar-pieces.js";
import { makeSpanSearch } from "./find-spans.js";
import type { Row } from "./lay-out-rows.js";
import { markServices, type ServiceMark } from "./mark-services.js";
import { placeFindings, type PlacedFindings } from "./place-findings.js";
import { growTree, type SpanTree } from "./span-tree.js";
import { wholeRange, type TimeRange } from "./time-range.js";

/** A trace, and what is worked out of it once for all lines. */
export interface TraceModel {
  readonly trace: Trace;
  readonly tree: SpanTree;
  readonly whole: TimeRange;
  readonly services: ReadonlyMap<string, ServiceMark>;
  readonly findings: PlacedFindings;
  readonly errors: number;
  /** Numbers of the logs of each span, by its index. */
  readonly logsAt: ReadonlyMap<number, readonly number[]>;
  /** Those of none of the spans here. */
  readonly otherLogs: readonly TraceLog[];
  /** Each span's index by its key. */
  readonly indexOf: ReadonlyMap<string, number>;
  readonly search: (text: string) => number[];
  readonly barOf: (row: Row) => Bar;
}

export function modelTrace(trace: Trace): TraceModel {
  const { spans } = trace;
  const tree = growTree(spans);
  const indexOf = new Map(tree.keys.map((key, index) => [key, index]));
  const logsAt = new Map<number, number[]>();
  for (const [number, { spanId }] of trace.logs.entries()) {
    const index = spanId === null ? undefined : indexOf.get(spanId);
    if (index === undefined) continue;
    const there = logsAt.get(index);
    if (there) there.push(number);
    else logsAt.set(index, [number]);
  }
  const bars = new Map<string, Bar>();
  return {
    trace,
    tree,
    whole: wholeRange(spans),
    services: markServices(trace.services),
    findings: placeFindings(trace.findings, spans),
    errors: spans.filter(({ status }) => status === "error").length,
    logsAt,
    otherLogs: trace.logs.filter(({ spanId }) => spanId === null || !indexOf.has(spanId)),
    indexOf,
    search: makeSpanSearch(spans),
    barOf: (row) => {
      const key = row.members ? `group ${row.key}` : row.key;
      const known = bars.get(key);
      if (known) return known;
      const bar = makeBar(row, spans, tree);
      bars.set(key, bar);
      return bar;
    },
  };
}

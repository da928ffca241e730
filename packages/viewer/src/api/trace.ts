import type { Store } from "../store/open-store.js";
import type { RequestItem, Trace, TraceLog } from "./answers.js";
import { parseObject } from "./attributes.js";
import { chooseSpans } from "./choose-spans.js";
import { findCriticalPath } from "./critical-path.js";
import { describeSpans, type SpanRow } from "./describe-spans.js";
import { createWork } from "./did.js";
import { ProblemError } from "./problem-error.js";
import { readColumns } from "./read-columns.js";
import { readRow, readRows } from "./read-rows.js";
import { REQUEST_COLUMNS, requestOf, type RequestRow } from "./request-item.js";
import { readServices } from "./services.js";
import { findingsOfTrace } from "./trace-findings.js";
import { growTree, type TraceTree } from "./trace-tree.js";
import { at } from "./at.js";

/** More are no picture. */
export const MAX_TRACE_SPANS = 10_000;
/** Of more, nobody looks for what matters in them. */
const MAX_READ = 100_000;
const MAX_LOGS = 2_000;
const MAX_ALIKE = 20;
/** Traces to compare with are read, too: all together not more than this. */
const MAX_ALIKE_SPANS = 20_000;

const TOLD = 1;
const FAILED = 2;
const ENTRY = 4;

/** What the tree is made of. All else is read of those that are answered. */
const SPANS = `
SELECT json_group_array(id) AS id, json_group_array(span_id) AS span_id, json_group_array(parent_id) AS parent_id,
  json_group_array(start_us) AS us, json_group_array(duration_ns) AS ns, json_group_array(kind) AS kind,
  json_group_array(resource_id) AS resource, json_group_array(marks) AS marks
FROM (
  SELECT id, span_id, parent_id, start_us, duration_ns, kind, resource_id,
    (finding IS NOT NULL) * ${TOLD} + (status = 2) * ${FAILED} + is_entry * ${ENTRY} AS marks
  FROM span WHERE trace_id = :trace ORDER BY id LIMIT ${MAX_READ})`;
const ROUTE = "SELECT route FROM span WHERE id = :id";
const COUNT = "SELECT count(*) AS count FROM span WHERE trace_id = :trace";
const LOGS = `
SELECT time_us, span_id, severity, severity_text, event_name, body, attributes FROM log
WHERE trace_id = :trace AND trace_id <> '' ORDER BY time_us LIMIT ${MAX_LOGS}`;
const ALIKE = `
SELECT ${REQUEST_COLUMNS} FROM span INDEXED BY span_route WHERE is_entry = 1 AND route = :route AND trace_id <> :trace
  AND resource_id IN (SELECT id FROM resource WHERE service = :service)
ORDER BY start_us DESC LIMIT ${MAX_ALIKE}`;

interface LogRow {
  readonly time_us: number;
  readonly span_id: string;
  readonly severity: number;
  readonly severity_text: string;
  readonly event_name: string;
  readonly body: string;
  readonly attributes: string;
}

/** https://opentelemetry.io/docs/specs/otel/logs/data-model/#field-severitynumber: four numbers each. */
const SEVERITIES = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"];

/** `GET /api/trace/:traceId` */
export function answerTrace(store: Store, _url: URL, _nowMs: number, traceId: string): Trace {
  const trace = traceId.toLowerCase();
  const columns = readColumns<SpanRow>(store, SPANS, { trace });
  const total = readRow<{ count: number }>(store, COUNT, { trace })?.count ?? 0;
  if (total === 0) {
    const name = JSON.stringify(traceId.slice(0, 100));
    throw new ProblemError(404, `no span of trace ${name} is kept: it has not come yet, or newer ones took its place`);
  }
  const services = readServices(store);
  const tree = growTree(columns);
  const critical = findCriticalPath(tree, columns.ns);
  const marked = (mark: number) => new Set(tree.order.filter((span) => (at(columns.marks, span) & mark) !== 0));
  const chosen = chooseSpans(tree, MAX_TRACE_SPANS, [marked(TOLD), critical, marked(FAILED)]);
  const { startNs, endNs } = extentOf(tree, columns.ns);
  const firstUs = columns.us.reduce((least, us) => Math.min(least, us), Number.POSITIVE_INFINITY);
  const startMs = firstUs / 1000 + startNs / 1e6;
  const spans = describeSpans(store, { columns, tree, critical, chosen, services, startNs, startMs });
  const entry = tree.order.find((span) => (at(columns.marks, span) & ENTRY) !== 0) ?? -1;
  const service = services.get(at(columns.resource, entry)) ?? "";
  const route = readRow<{ route: string | null }>(store, ROUTE, { id: at(columns.id, entry) })?.route ?? null;
  return {
    traceId: trace,
    startMs,
    durationMs: (endNs - startNs) / 1e6,
    services: [...new Set(tree.order.map((span) => services.get(at(columns.resource, span)) ?? ""))],
    spans,
    leftOut: total - spans.length,
    logs: readRows<LogRow>(store, LOGS, { trace }).map((row) => logOf(row, startMs)),
    findings: findingsOfTrace(store, trace, spans, route, startMs),
    alike: route === null ? [] : readAlike(store, trace, service, route, services),
  };
}

function extentOf({ starts }: TraceTree, ns: readonly number[]): { startNs: number; endNs: number } {
  let startNs = Number.POSITIVE_INFINITY;
  let endNs = Number.NEGATIVE_INFINITY;
  for (const [span, start] of starts.entries()) {
    startNs = Math.min(startNs, start);
    endNs = Math.max(endNs, start + at(ns, span));
  }
  return { startNs, endNs };
}

function logOf(row: LogRow, startMs: number): TraceLog {
  return {
    timeMs: row.time_us / 1000 - startMs,
    spanId: row.span_id === "" ? null : row.span_id,
    severity: row.severity_text || (SEVERITIES[Math.ceil(row.severity / 4) - 1] ?? ""),
    eventName: row.event_name,
    body: row.body,
    attributes: parseObject(row.attributes),
  };
}

function readAlike(
  store: Store,
  trace: string,
  service: string,
  route: string,
  services: ReadonlyMap<number, string>,
): RequestItem[] {
  const work = createWork(store, services);
  const alike: RequestItem[] = [];
  let left = MAX_ALIKE_SPANS;
  for (const row of readRows<RequestRow>(store, ALIKE, { route, trace, service })) {
    left -= readRow<{ count: number }>(store, COUNT, { trace: row.trace_id })?.count ?? 0;
    if (left >= 0) alike.push(requestOf(row, services, work));
  }
  return alike;
}

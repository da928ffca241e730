import type { Store } from "../store/open-store.js";
import type { RequestItem, Trace, TraceLog, TraceSpan } from "./answers.js";
import { numberOf, parseObject } from "./attributes.js";
import { chooseSpans } from "./choose-spans.js";
import { findCriticalPath, selfTimes } from "./critical-path.js";
import { createWork } from "./did.js";
import { ProblemError } from "./problem-error.js";
import { readColumns } from "./read-columns.js";
import { readRow, readRows } from "./read-rows.js";
import { REQUEST_COLUMNS, requestOf, type RequestRow } from "./request-item.js";
import { readServices } from "./services.js";
import { findingsOfTrace } from "./trace-findings.js";
import { eventsOf, linksOf } from "./trace-events.js";
import { at, growTree, type TraceTree } from "./trace-tree.js";

/** More are no picture. */
export const MAX_TRACE_SPANS = 10_000;
/** Of more, nobody looks for what matters in them. */
const MAX_READ = 100_000;
const MAX_LOGS = 2_000;
const MAX_ALIKE = 20;
/** Traces to compare with are read, too: all together not more than this. */
const MAX_ALIKE_SPANS = 20_000;

interface Columns extends Record<string, unknown> {
  readonly id: number;
  readonly span_id: string;
  readonly parent_id: string;
  readonly us: number;
  readonly ns: number;
  readonly kind: number;
  readonly resource: number;
  readonly status: number;
  readonly name: string;
  readonly fingerprint: string | null;
  readonly finding: string | null;
  readonly is_entry: 0 | 1;
  readonly route: string | null;
}
type Spans = { readonly [Name in keyof Columns]: readonly Columns[Name][] };

const SPANS = `
SELECT json_group_array(id) AS id, json_group_array(span_id) AS span_id, json_group_array(parent_id) AS parent_id,
  json_group_array(start_us) AS us, json_group_array(duration_ns) AS ns, json_group_array(kind) AS kind,
  json_group_array(resource_id) AS resource, json_group_array(status) AS status, json_group_array(name) AS name,
  json_group_array(fingerprint) AS fingerprint, json_group_array(finding) AS finding, json_group_array(is_entry) AS is_entry,
  json_group_array(route) AS route
FROM (SELECT id, span_id, parent_id, start_us, duration_ns, kind, resource_id, status, name, fingerprint, finding, is_entry, route FROM span
  WHERE trace_id = :trace ORDER BY id LIMIT ${MAX_READ})`;
const COUNT = "SELECT count(*) AS count FROM span WHERE trace_id = :trace";
const DETAILS = `
SELECT id, scope, status_message, attributes, events, links FROM span WHERE id IN (SELECT value FROM json_each(:ids))`;
const LOGS = `
SELECT time_us, span_id, severity, severity_text, event_name, body, attributes FROM log
WHERE trace_id = :trace AND trace_id <> '' ORDER BY time_us LIMIT ${MAX_LOGS}`;
const ALIKE = `
SELECT ${REQUEST_COLUMNS} FROM span INDEXED BY span_route WHERE is_entry = 1 AND route = :route AND trace_id <> :trace
  AND resource_id IN (SELECT id FROM resource WHERE service = :service)
ORDER BY start_us DESC LIMIT ${MAX_ALIKE}`;

interface DetailRow {
  readonly id: number;
  readonly scope: string;
  readonly status_message: string;
  readonly attributes: string;
  readonly events: string;
  readonly links: string;
}

interface LogRow {
  readonly time_us: number;
  readonly span_id: string;
  readonly severity: number;
  readonly severity_text: string;
  readonly event_name: string;
  readonly body: string;
  readonly attributes: string;
}

const KINDS = ["unspecified", "internal", "server", "client", "producer", "consumer"] as const;
const STATUSES = ["unset", "ok", "error"] as const;
/** https://opentelemetry.io/docs/specs/otel/logs/data-model/#field-severitynumber: four numbers each. */
const SEVERITIES = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"];

/** `GET /api/trace/:traceId` */
export function answerTrace(store: Store, _url: URL, _nowMs: number, traceId: string): Trace {
  const trace = traceId.toLowerCase();
  const columns = readColumns<Columns>(store, SPANS, { trace });
  const total = readRow<{ count: number }>(store, COUNT, { trace })?.count ?? 0;
  if (total === 0) {
    const name = JSON.stringify(traceId.slice(0, 100));
    throw new ProblemError(404, `no span of trace ${name} is kept: it has not come yet, or newer ones took its place`);
  }
  const services = readServices(store);
  const tree = growTree(columns);
  const critical = findCriticalPath(tree, columns.ns);
  const told = new Set(tree.order.filter((span) => columns.finding[span] !== null));
  const failed = new Set(tree.order.filter((span) => columns.status[span] === 2));
  const chosen = chooseSpans(tree, MAX_TRACE_SPANS, [told, critical, failed]);
  const { startNs, endNs } = extentOf(tree, columns.ns);
  const firstUs = columns.us.reduce((least, us) => Math.min(least, us), Number.POSITIVE_INFINITY);
  const startMs = firstUs / 1000 + startNs / 1e6;
  const spans = describeSpans(store, columns, tree, critical, chosen, services, startNs, startMs);
  const entry = tree.order.find((span) => columns.is_entry[span] === 1);
  const service = services.get(columns.resource[entry ?? 0] ?? 0) ?? "";
  const route = (entry === undefined ? null : columns.route[entry]) ?? null;
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

function describeSpans(
  store: Store,
  columns: Spans,
  tree: TraceTree,
  critical: ReadonlySet<number>,
  chosen: readonly number[],
  services: ReadonlyMap<number, string>,
  startNs: number,
  startMs: number,
): TraceSpan[] {
  const ids = JSON.stringify(chosen.map((span) => columns.id[span]));
  const details = new Map(readRows<DetailRow>(store, DETAILS, { ids }).map((row) => [row.id, row]));
  const places = new Map(chosen.map((span, place) => [span, place]));
  const selves = selfTimes(tree, columns.ns);
  const groups = groupBrothers(columns, tree);
  return chosen.map((span): TraceSpan => {
    const detail = details.get(columns.id[span] ?? 0);
    const attributes = parseObject(detail?.attributes ?? "");
    const durationMs = at(columns.ns, span) / 1e6;
    const part = (...names: string[]): number => Math.min(durationMs, Math.max(0, numberOf(attributes, ...names) ?? 0));
    return {
      spanId: columns.span_id[span] ?? "",
      parent: places.get(at(tree.parents, span)) ?? -1,
      depth: at(tree.depths, span),
      isOrphan: tree.orphans.has(span),
      service: services.get(at(columns.resource, span)) ?? "",
      scope: detail?.scope ?? "",
      name: columns.name[span] ?? "",
      kind: KINDS[at(columns.kind, span)] ?? "unspecified",
      startMs: (at(tree.starts, span) - startNs) / 1e6,
      skewMs: at(tree.skews, span) / 1e6,
      durationMs,
      selfMs: at(selves, span) / 1e6,
      isCritical: critical.has(span),
      status: STATUSES[at(columns.status, span)] ?? "unset",
      statusMessage: detail?.status_message ?? "",
      poolWaitMs: part("telltale.pool.wait_ms"),
      loopDelayMs: part("telltale.why.loop_delay_ms", "telltale.finding.blocked_ms"),
      group: groups[span] ?? null,
      finding: columns.finding[span] ?? null,
      attributes,
      events: eventsOf(detail?.events ?? "[]", startMs - at(tree.skews, span) / 1e6),
      links: linksOf(detail?.links ?? "[]"),
    };
  });
}

/** Of brothers that are alike, the id of the first. */
function groupBrothers(
  { span_id, name, fingerprint, kind, resource }: Spans,
  { children, roots }: TraceTree,
): string[] {
  const groups: string[] = [];
  for (const brothers of [roots, ...children]) {
    if (brothers === undefined || brothers.length < 2) continue;
    const firsts = new Map<string, number>();
    for (const span of brothers) {
      const key = `${kind[span]} ${resource[span]} ${fingerprint[span] ?? ""}\n${name[span]}`;
      const first = firsts.get(key);
      if (first === undefined) firsts.set(key, span);
      else groups[span] = groups[first] = span_id[first] ?? "";
    }
  }
  return groups;
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

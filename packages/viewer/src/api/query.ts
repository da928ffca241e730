import type { Store } from "../store/open-store.js";
import type { QueryDetail } from "./answers.js";
import { parseObject } from "./attributes.js";
import { allFindings, siteOf } from "./findings.js";
import { nearestRank, sortNumbers } from "./nearest-rank.js";
import { readMinutes } from "./parameters.js";
import { ProblemError } from "./problem-error.js";
import { readQuery } from "./queries.js";
import { readColumns } from "./read-columns.js";
import { readRows } from "./read-rows.js";
import { readServices } from "./services.js";
import { boundsOf, emptySteps, stepOf, stepsOf, type TimeWindow, windowOf } from "./time-window.js";

const MAX_CALLERS = 50;
const MAX_SITES = 20;
const MAX_EXAMPLES = 5;

/** Of the index alone. */
const CALLS = `
SELECT json_group_array(start_us) AS us, json_group_array(duration_ns) AS ns FROM span INDEXED BY span_query
WHERE fingerprint = :fingerprint AND start_us BETWEEN :from AND :to`;
/** The newest 5,000 calls, each with the request of its process that was running, the one that began last. */
const CALLERS = `
WITH call AS (
  SELECT trace_id, resource_id, start_us, duration_ns FROM span
  WHERE fingerprint = :fingerprint AND start_us BETWEEN :from AND :to ORDER BY start_us DESC LIMIT 5000
), made AS MATERIALIZED (
  SELECT call.resource_id, call.duration_ns, (
    SELECT request.id FROM span AS request INDEXED BY span_request
    WHERE request.is_entry = 1 AND request.trace_id = call.trace_id AND request.resource_id = call.resource_id
      AND request.start_us <= call.start_us AND request.start_us + request.duration_ns / 1000 >= call.start_us
    ORDER BY request.start_us DESC LIMIT 1
  ) AS request_id FROM call
)
SELECT made.resource_id, ifnull(request.route, '') AS route, count(*) AS calls, total(made.duration_ns) AS ns,
  count(DISTINCT request_id) AS requests
FROM made LEFT JOIN span AS request ON request.id = request_id
GROUP BY made.resource_id, request.route`;
const SITES = `
SELECT attributes FROM span WHERE fingerprint = :fingerprint AND start_us BETWEEN :from AND :to ORDER BY start_us DESC LIMIT 500`;
const examples = (order: string) => `
SELECT trace_id, span_id, start_us, duration_ns FROM span WHERE id IN (
  SELECT id FROM span INDEXED BY span_query
  WHERE fingerprint = :fingerprint AND start_us BETWEEN :from AND :to ORDER BY ${order} LIMIT ${MAX_EXAMPLES})`;
const SLOWEST = examples("duration_ns DESC");
const TYPICAL = examples("abs(duration_ns - :median), start_us DESC");

interface CallerRow {
  readonly resource_id: number;
  readonly route: string;
  readonly calls: number;
  readonly ns: number;
  readonly requests: number;
}

interface ExampleRow {
  readonly trace_id: string;
  readonly span_id: string;
  readonly start_us: number;
  readonly duration_ns: number;
}

/** `GET /api/query/:fingerprint` */
export function answerQuery(store: Store, url: URL, nowMs: number, fingerprint: string): QueryDetail {
  const window = windowOf(nowMs, readMinutes(url, 15));
  const query = readQuery(store, window, fingerprint);
  if (query === undefined) {
    const name = JSON.stringify(fingerprint.slice(0, 100));
    throw new ProblemError(
      404,
      `query ${name} did not run in this time: take more minutes, or GET /api/queries for those that did`,
    );
  }
  const parameters = { ...boundsOf(window), fingerprint };
  const { us, ns } = readColumns<{ us: number; ns: number }>(store, CALLS, parameters);
  const findings = allFindings(store).filter((item) => item.fingerprint === fingerprint);
  const planned = findings.filter((item) => item.plan !== null).sort((a, b) => b.lastMs - a.lastMs);
  return {
    query,
    callers: readCallers(store, parameters),
    sites: readSites(store, parameters),
    durations: stepsOf(window, meansOf(window, us, ns)),
    plan: planned[0]?.plan ?? null,
    findings,
    examples: readExamples(store, parameters, ns),
  };
}

type OfQuery = { readonly from: number; readonly to: number; readonly fingerprint: string };

/** In ms. */
function meansOf(window: TimeWindow, us: readonly number[], ns: readonly number[]): (number | null)[] {
  const sums = emptySteps(window);
  const counts = new Float64Array(window.count);
  for (const [index, start] of us.entries()) {
    const step = stepOf(window, start);
    sums[step] = (sums[step] ?? 0) + (ns[index] ?? 0) / 1e6;
    counts[step] = (counts[step] ?? 0) + 1;
  }
  return sums.map((sum, step) => (sum === null ? null : sum / (counts[step] ?? 1)));
}

function readCallers(store: Store, parameters: OfQuery): QueryDetail["callers"] {
  const services = readServices(store);
  const callers = new Map<string, { service: string; route: string; calls: number; ns: number; requests: number }>();
  for (const { resource_id, route, calls, ns, requests } of readRows<CallerRow>(store, CALLERS, parameters)) {
    const service = services.get(resource_id) ?? "";
    const key = JSON.stringify([service, route]);
    const known = callers.get(key) ?? { service, route, calls: 0, ns: 0, requests: 0 };
    callers.set(key, known);
    known.calls += calls;
    known.ns += ns;
    known.requests += requests;
  }
  return [...callers.values()]
    .sort((a, b) => b.ns - a.ns)
    .slice(0, MAX_CALLERS)
    .map(({ service, route, calls, ns, requests }) => ({
      service,
      route,
      calls,
      totalMs: ns / 1e6,
      perRequest: requests === 0 ? 0 : calls / requests,
    }));
}

/** Of the newest 500 calls: few say where they were made. */
function readSites(store: Store, parameters: OfQuery): QueryDetail["sites"] {
  const sites = new Map<string, number>();
  for (const { attributes } of readRows<{ attributes: string }>(store, SITES, parameters)) {
    const site = attributes.includes('"code.') ? siteOf(parseObject(attributes)) : null;
    if (site !== null) sites.set(site, (sites.get(site) ?? 0) + 1);
  }
  return [...sites]
    .sort(([, a], [, b]) => b - a)
    .slice(0, MAX_SITES)
    .map(([site, calls]) => ({ site, calls }));
}

function readExamples(store: Store, parameters: OfQuery, ns: readonly number[]): QueryDetail["examples"] {
  const median = nearestRank(sortNumbers(ns), 0.5);
  const slowest = readRows<ExampleRow>(store, SLOWEST, parameters);
  const known = new Set(slowest.map((row) => row.span_id));
  const typical = readRows<ExampleRow>(store, TYPICAL, { ...parameters, median }).filter(
    (row) => !known.has(row.span_id),
  );
  const exampleOf = (row: ExampleRow, isSlowest: boolean) => ({
    traceId: row.trace_id,
    spanId: row.span_id,
    startMs: row.start_us / 1000,
    durationMs: row.duration_ns / 1e6,
    isSlowest,
  });
  return [
    ...slowest.sort((a, b) => b.duration_ns - a.duration_ns).map((row) => exampleOf(row, true)),
    ...typical.sort((a, b) => b.start_us - a.start_us).map((row) => exampleOf(row, false)),
  ];
}

import type { Store } from "../store/open-store.js";
import type { Queries, QueryItem } from "./answers.js";
import { parseObject, textOf } from "./attributes.js";
import { nearestRank, sortNumbers } from "./nearest-rank.js";
import { readChoice, readMinutes, readText } from "./parameters.js";
import { readRow, readRows } from "./read-rows.js";
import { boundsOf, type TimeWindow, windowOf } from "./time-window.js";

/** What came of one fingerprint. */
interface QueryRow {
  readonly fingerprint: string;
  readonly calls: number;
  readonly errors: number;
  readonly slow: number;
  readonly rows: number | null;
  /** Durations in ns, as JSON. */
  readonly ns: string;
}

/** Of the index `span_query` alone, in its order. */
const BY_FINGERPRINT = `
SELECT fingerprint, count(*) AS calls, sum(status = 2) AS errors, sum(is_slow) AS slow, avg(db_rows) AS rows, json_group_array(duration_ns) AS ns
FROM span INDEXED BY span_query
WHERE fingerprint IS NOT NULL AND (:fingerprint IS NULL OR fingerprint = :fingerprint) AND start_us BETWEEN :from AND :to
  AND (:service IS NULL OR resource_id IN (SELECT id FROM resource WHERE service = :service))
GROUP BY fingerprint`;
const ONE = BY_FINGERPRINT.replace(
  "(:fingerprint IS NULL OR fingerprint = :fingerprint)",
  "fingerprint = :fingerprint",
);
const LAST = `
SELECT name, db_system, attributes FROM span WHERE fingerprint = :fingerprint AND start_us <= :to ORDER BY start_us DESC LIMIT 1`;

/** More are no queries, but texts with values in them. */
const MAX_QUERIES = 500;

const ORDERS = {
  total: (query) => query.totalMs,
  calls: (query) => query.calls,
  mean: (query) => query.meanMs,
  p95: (query) => query.p95Ms,
} as const satisfies Record<string, (query: Sums) => number>;

type Sums = Omit<QueryItem, "system" | "namespace" | "summary" | "text" | "share">;

/** `GET /api/queries`: the first 500 in the order that is asked for. */
export function answerQueries(store: Store, url: URL, nowMs: number): Queries {
  const window = windowOf(nowMs, readMinutes(url, 15));
  const order = ORDERS[readChoice(url, "sort", "total", Object.keys(ORDERS) as (keyof typeof ORDERS)[])];
  const all = readSums(store, window, readText(url, "service"));
  const totalMs = all.reduce((sum, query) => sum + query.totalMs, 0);
  const queries = all.sort((a, b) => order(b) - order(a) || b.totalMs - a.totalMs).slice(0, MAX_QUERIES);
  return {
    fromMs: window.fromMs,
    toMs: window.toMs,
    totalMs,
    queries: queries.map((sums) => describeQuery(store, window, sums, totalMs)),
  };
}

/** One query as it stands among all; undefined where it did not run in the window. */
export function readQuery(store: Store, window: TimeWindow, fingerprint: string): QueryItem | undefined {
  const row = readRow<QueryRow>(store, ONE, { ...boundsOf(window), fingerprint, service: null });
  if (row === undefined) return undefined;
  const total = readRow<{ ns: number }>(store, TOTAL, boundsOf(window));
  return describeQuery(store, window, sumsOf(row), (total?.ns ?? 0) / 1e6);
}
const TOTAL = `
SELECT total(duration_ns) AS ns FROM span INDEXED BY span_query WHERE fingerprint IS NOT NULL AND start_us BETWEEN :from AND :to`;

function readSums(store: Store, window: TimeWindow, service: string | undefined): Sums[] {
  const parameters = { ...boundsOf(window), service: service ?? null, fingerprint: null };
  return readRows<QueryRow>(store, BY_FINGERPRINT, parameters).map(sumsOf);
}

function sumsOf({ fingerprint, calls, errors, slow, rows, ns }: QueryRow): Sums {
  const sorted = sortNumbers(JSON.parse(ns) as number[]);
  const totalMs = sorted.reduce((sum, each) => sum + each, 0) / 1e6;
  return {
    fingerprint,
    calls,
    errors,
    totalMs,
    meanMs: totalMs / calls,
    p95Ms: nearestRank(sorted, 0.95) / 1e6,
    maxMs: nearestRank(sorted, 1) / 1e6,
    rows,
    slow,
  };
}

/** What is the same for all calls is that of the last one. */
function describeQuery(store: Store, window: TimeWindow, sums: Sums, totalMs: number): QueryItem {
  const { to } = boundsOf(window);
  const last = readRow<{ name: string; db_system: string | null; attributes: string }>(store, LAST, {
    fingerprint: sums.fingerprint,
    to,
  });
  const attributes = parseObject(last?.attributes ?? "");
  return {
    ...sums,
    system: last?.db_system ?? textOf(attributes, "db.system.name", "db.system") ?? "",
    namespace: textOf(attributes, "db.namespace", "db.name"),
    summary: textOf(attributes, "db.query.summary") ?? last?.name ?? "",
    text: textOf(attributes, "db.query.text", "db.statement"),
    share: totalMs > 0 ? sums.totalMs / totalMs : 0,
  };
}

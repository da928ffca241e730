import type { Store } from "../store/open-store.js";
import type { Now, RouteNow } from "./answers.js";
import { allFindings } from "./findings.js";
import { nearestRank, splitNumbers } from "./nearest-rank.js";
import { readMinutes, readText } from "./parameters.js";
import { readRow, readRows } from "./read-rows.js";
import { boundsOf, emptySteps, secondsOf, stepsOf, type TimeWindow, windowOf } from "./time-window.js";

interface StepRow {
  readonly service: string;
  readonly route: string | null;
  readonly step: number;
  readonly requests: number;
  readonly errors: number;
  /** Durations in ns, joined by commas. */
  readonly durations: string;
}

/** Only `span_entry` is read. */
const BY_STEP = `
SELECT service, route, (start_us - :from) / :step AS step, count(*) AS requests,
  sum(status = 2 OR ifnull(http_status, 0) >= 500) AS errors, group_concat(duration_ns) AS durations
FROM span JOIN resource ON resource.id = resource_id
WHERE is_entry = 1 AND start_us BETWEEN :from AND :to AND (:service IS NULL OR service = :service)
GROUP BY service, route, step`;
const FIRST = "SELECT min(start_us) AS us FROM span WHERE is_entry = 1";

const MAX_ROUTES = 500;

/** `GET /api/now` */
export function answerNow(store: Store, url: URL, nowMs: number): Now {
  const window = windowOf(nowMs, readMinutes(url, 5));
  const service = readText(url, "service");
  const findings = allFindings(store).filter(
    (item) => !item.isMuted && !item.isAccepted && (service === undefined || item.service === service),
  );
  return {
    fromMs: window.fromMs,
    toMs: window.toMs,
    routes: readRoutes(store, window, service ?? null),
    findings: findings.slice(0, 5),
    processes: [],
  };
}

function readRoutes(store: Store, window: TimeWindow, service: string | null): RouteNow[] {
  const groups = new Map<string, StepRow[]>();
  const step = window.stepMs * 1000;
  for (const row of readRows<StepRow>(store, BY_STEP, { ...boundsOf(window), step, service })) {
    const key = `${row.route}\n${row.service}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [row]);
    else group.push(row);
  }
  // Before the first request that is kept, nobody knows.
  const knownMs = (readRow<{ us: number | null }>(store, FIRST)?.us ?? 0) / 1000;
  return [...groups.values()]
    .map((rows) => routeOf(rows, window, knownMs))
    .sort((a, b) => b.totalMs - a.totalMs)
    .slice(0, MAX_ROUTES);
}

function routeOf(rows: readonly StepRow[], window: TimeWindow, knownMs: number): RouteNow {
  const { fromMs, toMs, stepMs } = window;
  const p95 = emptySteps(window);
  const errorRate = emptySteps(window);
  const rate = p95.map((_, step): number | null =>
    fromMs + (step + 1) * stepMs > knownMs && secondsOf(window, step) !== undefined ? 0 : null,
  );
  const all: number[] = [];
  let errors = 0;
  for (const row of rows) {
    const durations = Float64Array.from(splitNumbers(row.durations)).sort();
    for (const ns of durations) all.push(ns);
    errors += row.errors;
    const seconds = secondsOf(window, row.step);
    if (seconds !== undefined) rate[row.step] = row.requests / seconds;
    p95[row.step] = nearestRank(durations, 0.95) / 1e6;
    errorRate[row.step] = row.errors / row.requests;
  }
  const sorted = Float64Array.from(all).sort();
  const [{ service, route } = { service: "", route: "" }] = rows;
  return {
    service,
    route: route ?? "",
    requests: sorted.length,
    perSecond: sorted.length / Math.max(1, (toMs - Math.max(fromMs, knownMs)) / 1000),
    errors,
    totalMs: sorted.reduce((sum, ns) => sum + ns, 0) / 1e6,
    p50Ms: nearestRank(sorted, 0.5) / 1e6,
    p95Ms: nearestRank(sorted, 0.95) / 1e6,
    p99Ms: nearestRank(sorted, 0.99) / 1e6,
    rate: stepsOf(window, rate),
    p95: stepsOf(window, p95),
    errorRate: stepsOf(window, errorRate),
  };
}

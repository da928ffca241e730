import type { Store } from "../store/open-store.js";
import type { Now, RouteNow } from "./answers.js";
import { allFindings } from "./findings.js";
import { nearestRank, sortNumbers } from "./nearest-rank.js";
import { readMinutes, readText } from "./parameters.js";
import { readProcesses } from "./processes.js";
import { readColumns } from "./read-columns.js";
import { readRow } from "./read-rows.js";
import { readServices } from "./services.js";
import { boundsOf, emptySteps, secondsOf, stepOf, stepsOf, type TimeWindow, windowOf } from "./time-window.js";

/** Of the index `span_entry` alone. */
const ENTRIES = `
SELECT json_group_array(resource_id) AS resource, json_group_array(ifnull(route, '')) AS route, json_group_array(start_us) AS us,
  json_group_array(duration_ns) AS ns, json_group_array(status = 2 OR ifnull(http_status, 0) >= 500) AS failed
FROM span WHERE is_entry = 1 AND start_us BETWEEN :from AND :to`;
const FIRST = "SELECT min(start_us) AS us FROM span WHERE is_entry = 1";

/** Pages show them all: more are no routes, but names with something in them. */
const MAX_ROUTES = 500;

/** What came of one route. */
interface Served {
  readonly service: string;
  readonly route: string;
  /** Durations in ns. */
  readonly steps: number[][];
  readonly errors: number[];
}

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
    routes: readRoutes(store, window, service),
    findings: findings.slice(0, 5),
    processes: readProcesses(store, window, service),
  };
}

function readRoutes(store: Store, window: TimeWindow, wanted: string | undefined): RouteNow[] {
  const services = readServices(store);
  const all = new Map<string, Map<string, Served>>();
  const { resource, route, us, ns, failed } = readColumns<{
    resource: number;
    route: string;
    us: number;
    ns: number;
    failed: 0 | 1;
  }>(store, ENTRIES, boundsOf(window));
  for (const [index, id] of resource.entries()) {
    const service = services.get(id) ?? "";
    if (wanted !== undefined && service !== wanted) continue;
    const served = servedOf(all, service, route[index] ?? "", window);
    const step = stepOf(window, us[index] ?? 0);
    served.steps[step]?.push(ns[index] ?? 0);
    if (failed[index] === 1) served.errors[step] = (served.errors[step] ?? 0) + 1;
  }
  // Before the first request that is kept, nobody knows.
  const knownMs = (readRow<{ us: number | null }>(store, FIRST)?.us ?? 0) / 1000;
  return [...all.values()]
    .flatMap((routes) => Array.from(routes.values()))
    .map((served) => describe(served, window, knownMs))
    .sort((a, b) => b.totalMs - a.totalMs)
    .slice(0, MAX_ROUTES);
}

function servedOf(all: Map<string, Map<string, Served>>, service: string, route: string, window: TimeWindow): Served {
  let routes = all.get(service);
  if (routes === undefined) all.set(service, (routes = new Map()));
  let served = routes.get(route);
  if (served === undefined) {
    const steps = Array.from({ length: window.count }, (): number[] => []);
    routes.set(route, (served = { service, route, steps, errors: [] }));
  }
  return served;
}

function describe({ service, route, steps, errors }: Served, window: TimeWindow, knownMs: number): RouteNow {
  const { fromMs, toMs, stepMs } = window;
  const rate = emptySteps(window);
  const p95 = emptySteps(window);
  const errorRate = emptySteps(window);
  for (const [step, durations] of steps.entries()) {
    const seconds = secondsOf(window, step);
    const isKnown = fromMs + (step + 1) * stepMs > knownMs;
    if (isKnown && seconds !== undefined) rate[step] = durations.length / seconds;
    if (durations.length === 0) continue;
    p95[step] = nearestRank(sortNumbers(durations), 0.95) / 1e6;
    errorRate[step] = (errors[step] ?? 0) / durations.length;
  }
  const sorted = sortNumbers(steps.flat());
  return {
    service,
    route,
    requests: sorted.length,
    perSecond: sorted.length / Math.max(1, (toMs - Math.max(fromMs, knownMs)) / 1000),
    errors: errors.reduce((sum, count) => sum + count, 0),
    totalMs: sorted.reduce((sum, ns) => sum + ns, 0) / 1e6,
    p50Ms: nearestRank(sorted, 0.5) / 1e6,
    p95Ms: nearestRank(sorted, 0.95) / 1e6,
    p99Ms: nearestRank(sorted, 0.99) / 1e6,
    rate: stepsOf(window, rate),
    p95: stepsOf(window, p95),
    errorRate: stepsOf(window, errorRate),
  };
}

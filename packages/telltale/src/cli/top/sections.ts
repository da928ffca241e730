import type { Caches, Findings, Now, Pools, Queries } from "@telltale/viewer";
import type { Column } from "./table.js";
import { formatAgo, formatMs, formatNumber, formatPercent, lastOf, sparkline } from "./units.js";

export interface Row {
  readonly cells: readonly string[];
  /** More about it, a paragraph each. */
  readonly details: readonly string[];
}

export interface Section {
  readonly name: string;
  readonly columns: readonly Column[];
  readonly empty: string;
  path(minutes: number): string;
  /** Of the API's answer; throws where it is none. */
  rows(answer: unknown): readonly Row[];
}

function text(title: string, width?: number): Column {
  return { title, isText: true, ...(width !== undefined && { width }) };
}

const TREND = 10;
const MAX_ROWS = 200;

/** Its name, and its service where there are several. */
function nameWith(services: ReadonlySet<string>, service: string, name: string): string {
  return services.size > 1 ? `${name} · ${service}` : name;
}

const routes: Section = {
  name: "routes",
  columns: [
    text("ROUTE"),
    { title: "REQ/S", width: 6 },
    text("TREND", TREND),
    { title: "P50", width: 6 },
    { title: "P95", width: 6 },
    { title: "P99", width: 6 },
    { title: "ERRORS", width: 6 },
  ],
  empty: "No requests in this time.",
  path: (minutes) => `/api/now?minutes=${minutes}`,
  rows(answer) {
    const found = (answer as Now).routes.slice(0, MAX_ROWS);
    const services = new Set(found.map(({ service }) => service));
    return found.map((route) => ({
      cells: [
        nameWith(services, route.service, route.route),
        formatNumber(Number(route.perSecond.toFixed(1))),
        sparkline(route.rate.values, TREND),
        formatMs(route.p50Ms),
        formatMs(route.p95Ms),
        formatMs(route.p99Ms),
        formatPercent(route.requests === 0 ? null : route.errors / route.requests),
      ],
      details: [
        `${route.service}: ${route.route}`,
        `${formatNumber(route.requests)} requests, ${formatNumber(route.errors)} failed, ${formatMs(route.totalMs)} in all`,
      ],
    }));
  },
};

const queries: Section = {
  name: "queries",
  columns: [
    text("QUERY"),
    { title: "SHARE", width: 6 },
    { title: "CALLS", width: 6 },
    { title: "MEAN", width: 6 },
    { title: "P95", width: 6 },
    { title: "ROWS", width: 6 },
    { title: "SLOW", width: 5 },
    { title: "FAILED", width: 6 },
  ],
  empty: "No queries in this time.",
  path: (minutes) => `/api/queries?minutes=${minutes}&sort=total`,
  rows(answer) {
    return (answer as Queries).queries.slice(0, MAX_ROWS).map((query) => ({
      cells: [
        query.summary,
        formatPercent(query.share),
        formatNumber(query.calls),
        formatMs(query.meanMs),
        formatMs(query.p95Ms),
        formatNumber(query.rows === null ? null : Number(query.rows.toFixed(1))),
        formatNumber(query.slow),
        formatNumber(query.errors),
      ],
      details: [
        [query.system, query.namespace].filter((one) => one !== null && one !== "").join(" · "),
        query.text ?? query.summary,
      ],
    }));
  },
};

const pools: Section = {
  name: "pools",
  columns: [
    text("POOL"),
    { title: "USED", width: 5 },
    { title: "IDLE", width: 5 },
    { title: "LIMIT", width: 5 },
    { title: "WAITING", width: 7 },
    { title: "WAITS", width: 6 },
    { title: "P95", width: 6 },
    { title: "TIMEOUT", width: 7 },
  ],
  empty: "No pools in this time.",
  path: (minutes) => `/api/pools?minutes=${minutes}`,
  rows(answer) {
    const found = (answer as Pools).pools.slice(0, MAX_ROWS);
    const services = new Set(found.map(({ service }) => service));
    return found.map((pool) => ({
      cells: [
        nameWith(services, pool.service, pool.pool),
        formatNumber(lastOf(pool.used.values)),
        formatNumber(lastOf(pool.idle.values)),
        formatNumber(pool.limit),
        formatNumber(lastOf(pool.pending.values)),
        formatNumber(pool.waits.count),
        formatMs(pool.waits.count === 0 ? null : pool.waits.p95Ms),
        formatNumber(pool.timeouts),
      ],
      details: [
        `${pool.service} ${pool.instance}: ${pool.pool}`,
        ...pool.holders
          .slice(0, 3)
          .map(({ route, heldMs, calls }) => `held by ${route}: ${formatMs(heldMs)}, ${formatNumber(calls)} times`),
      ],
    }));
  },
};

const caches: Section = {
  name: "caches",
  columns: [
    text("CACHE"),
    { title: "HITS", width: 6 },
    { title: "MISSES", width: 6 },
    { title: "RATIO", width: 6 },
    text("TREND", TREND),
    { title: "MISSES/REQ", width: 10 },
  ],
  empty: "No cache lookups in this time.",
  path: (minutes) => `/api/caches?minutes=${minutes}`,
  rows(answer) {
    const found = (answer as Caches).caches.slice(0, MAX_ROWS);
    const services = new Set(found.map(({ service }) => service));
    return found.map((cache) => ({
      cells: [
        nameWith(services, cache.service, cache.cache),
        formatNumber(cache.hits),
        formatNumber(cache.misses),
        formatPercent(cache.hitRatio),
        sparkline(cache.lookups.values, TREND),
        cache.missesPerRequest === null ? "–" : cache.missesPerRequest.toFixed(2),
      ],
      details: [
        `${cache.service}: ${cache.cache}`,
        ...cache.patterns
          .slice(0, 3)
          .map(
            ({ pattern, lookups, misses }) =>
              `${pattern}: ${formatNumber(lookups)} lookups, ${formatNumber(misses)} missed`,
          ),
      ],
    }));
  },
};

const findings: Section = {
  name: "findings",
  columns: [
    text("SEVERITY", 8),
    text("FINDING"),
    { title: "TIMES", width: 6 },
    { title: "LOST", width: 6 },
    { title: "LAST", width: 5 },
  ],
  empty: "Nothing was found.",
  path: () => "/api/findings",
  rows(answer) {
    const nowMs = Date.now();
    return (answer as Findings).findings.slice(0, MAX_ROWS).map((finding) => ({
      cells: [
        finding.severity,
        finding.title,
        formatNumber(finding.count),
        formatMs(finding.lostMs),
        formatAgo(nowMs - finding.lastMs),
      ],
      details: [finding.title, finding.cause ?? "", finding.advice ?? "", finding.queryText ?? ""],
    }));
  },
};

export const SECTIONS: readonly Section[] = [routes, queries, pools, caches, findings];

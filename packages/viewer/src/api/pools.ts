import type { Store } from "../store/open-store.js";
import type { FindingItem, PoolItem, Pools } from "./answers.js";
import { numberOf, textOf } from "./attributes.js";
import { Distribution } from "./distribution.js";
import { allFindings } from "./findings.js";
import { increasesOf } from "./increases.js";
import { addUp, lastOf, levelsOf, partIn, totalOf } from "./over-time.js";
import { readMinutes, readText } from "./parameters.js";
import { POOL_FAMILIES, type PoolFamily, USED_STATES } from "./pool-families.js";
import { type RecentCalls, readRecentCalls } from "./recent-calls.js";
import { readPoints, readSeries, type Series } from "./series.js";
import { readServices } from "./services.js";
import { stepsOf, type TimeWindow, windowOf } from "./time-window.js";

const MAX_POOLS = 200;
const MAX_HOLDERS = 10;
/** What is held outside of any request that is known. */
const NOBODY = "";

/** All that is told of one pool of one process. */
interface Gathered {
  readonly family: PoolFamily;
  readonly pool: string;
  readonly series: Series[];
}

/** `GET /api/pools`: the newest 200. */
export function answerPools(store: Store, url: URL, nowMs: number): Pools {
  const window = windowOf(nowMs, readMinutes(url, 15));
  const service = readText(url, "service");
  const gathered = POOL_FAMILIES.flatMap((family) => gather(store, family, service));
  const recent = readRecentCalls(store, window);
  const services = readServices(store);
  const findings = allFindings(store);
  const pools: PoolItem[] = [];
  for (const each of gathered) {
    // Those of processes that ended are many where one is started again and again: they count for nothing.
    const pool = describe(store, window, each, recent, services, findings);
    if (pool !== undefined) pools.push(pool);
    if (pools.length >= MAX_POOLS) break;
  }
  const rank = ({ waits, pending }: PoolItem): number => waits.p95Ms * waits.count + (lastOf(pending.values) ?? 0);
  return {
    fromMs: window.fromMs,
    toMs: window.toMs,
    pools: pools.sort((a, b) => rank(b) - rank(a) || (a.pool < b.pool ? -1 : 1)),
  };
}

function gather(store: Store, family: PoolFamily, service: string | undefined): Gathered[] {
  const { connections, pending, limit, timeouts, wait, nameOf } = family;
  const pools = new Map<string, Gathered>();
  for (const series of readSeries(store, [...connections, ...pending, ...limit, ...timeouts, ...wait], service)) {
    const pool = nameOf(series.attributes) ?? "";
    const key = JSON.stringify([series.service, series.instance, pool]);
    const known = pools.get(key);
    if (known === undefined) pools.set(key, { family, pool, series: [series] });
    else known.series.push(series);
  }
  return [...pools.values()];
}

/** Undefined where nothing is told of it in the window. */
function describe(
  store: Store,
  window: TimeWindow,
  { family, pool, series }: Gathered,
  recent: RecentCalls,
  services: ReadonlyMap<number, string>,
  findings: readonly FindingItem[],
): PoolItem | undefined {
  const of = (names: readonly string[]): Series[] => series.filter(({ name }) => names.includes(name));
  const levels = (all: readonly Series[], isPeak = false): (number | null)[] =>
    addUp(
      all.map((each) => levelsOf(readPoints(store, each, window), window, each.isDelta, isPeak)),
      window,
    );
  const isUsed = ({ attributes }: Series): boolean => USED_STATES.includes(textOf(attributes, ...family.states));
  const connections = of(family.connections);
  // A pool that was full and who waited for it are mostly free and gone when a step ends.
  const used = levels(connections.filter(isUsed), true);
  const idle = levels(connections.filter((each) => !isUsed(each)));
  const pending = levels(of(family.pending), true);
  const waits = waitsOf(store, window, of(family.wait));
  if ([used, idle, pending].every((values) => lastOf(values) === null) && waits.count === 0) return undefined;
  const { service, instance } = series[0] as Series;
  const about = findings.filter(
    (item) =>
      item.service === service &&
      (item.evidence["pool"] === pool || item.evidence["subject"] === pool) &&
      !item.isMuted,
  );
  const timeouts = of(family.timeouts).map((each) =>
    totalOf(increasesOf(readPoints(store, each, window), each), window, ({ value }) => value),
  );
  return {
    service,
    instance,
    pool,
    system: series.map(({ attributes }) => family.systemOf(attributes)).find((system) => system !== null) ?? null,
    limit: lastOf(levels(of(family.limit))),
    used: stepsOf(window, used),
    idle: stepsOf(window, idle),
    pending: stepsOf(window, pending),
    waits,
    timeouts: Math.round(timeouts.reduce((sum, count) => sum + count, 0)),
    holders: holdersOf(pool, service, recent, services, about),
    findings: about,
  };
}

/** In ms, whatever the unit of the metric. */
function waitsOf(store: Store, window: TimeWindow, all: readonly Series[]): PoolItem["waits"] {
  const waits = new Distribution();
  let factor = 1000;
  for (const series of all) {
    factor = series.unit === "ms" ? 1 : 1000;
    for (const increase of increasesOf(readPoints(store, series, window), series)) {
      waits.add(increase, partIn(increase, window.fromMs, window.toMs));
    }
  }
  return {
    count: Math.round(waits.count),
    p50Ms: (waits.quantile(0.5) ?? 0) * factor,
    p95Ms: (waits.quantile(0.95) ?? 0) * factor,
    maxMs: waits.count === 0 ? 0 : (waits.highest() ?? 0) * factor,
  };
}

/** Calls hold a connection once they have waited for it, while they run; who holds one and does nothing is known from findings. */
function holdersOf(
  pool: string,
  service: string,
  { calls, attributesOf }: RecentCalls,
  services: ReadonlyMap<number, string>,
  findings: readonly FindingItem[],
): PoolItem["holders"] {
  const holders = new Map<string, { route: string; heldMs: number; calls: number }>();
  const holderOf = (route: string) => {
    let holder = holders.get(route);
    if (holder === undefined) holders.set(route, (holder = { route, heldMs: 0, calls: 0 }));
    return holder;
  };
  for (const { fingerprint, resourceId, route, ns, waitMs } of calls) {
    if (services.get(resourceId) !== service) continue;
    if (textOf(attributesOf(fingerprint), "db.client.connection.pool.name", "pool.name") !== pool) continue;
    const holder = holderOf(route ?? NOBODY);
    holder.heldMs += Math.max(ns / 1e6 - waitMs, 0);
    holder.calls += 1;
  }
  for (const { endpoint, evidence, count } of findings) {
    const heldMs = numberOf(evidence, "heldMs");
    if (heldMs === null) continue;
    const holder = holderOf(endpoint ?? NOBODY);
    holder.heldMs = Math.max(holder.heldMs, heldMs);
    holder.calls = Math.max(holder.calls, count);
  }
  return [...holders.values()].sort((a, b) => b.heldMs - a.heldMs).slice(0, MAX_HOLDERS);
}

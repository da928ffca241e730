import type { Store } from "../store/open-store.js";
import type { AttributeMap } from "./answers.js";
import { parseObject } from "./attributes.js";
import { readColumns } from "./read-columns.js";
import { readRow } from "./read-rows.js";
import { boundsOf, type TimeWindow } from "./time-window.js";

/** Spans, the newest: a page of sums asks them for what no metric tells. */
const MAX_SPANS = 20_000;

const RECENT = `
SELECT json_group_array(fingerprint) AS fingerprint, json_group_array(db_system) AS system, json_group_array(trace_id) AS traceId,
  json_group_array(resource_id) AS resourceId, json_group_array(duration_ns) AS ns, json_group_array(cache_hits) AS hits,
  json_group_array(cache_misses) AS misses, json_group_array(is_entry) AS isEntry, json_group_array(route) AS route,
  json_group_array(wait_ms) AS waitMs
FROM (
  SELECT fingerprint, db_system, trace_id, resource_id, duration_ns, cache_hits, cache_misses, is_entry, route,
    json_extract(attributes, '$."telltale.pool.wait_ms"') AS wait_ms FROM span
  WHERE id > (SELECT max(id) - ${MAX_SPANS} FROM span) AND start_us BETWEEN :from AND :to AND (fingerprint IS NOT NULL OR is_entry = 1))`;
const LAST = "SELECT attributes FROM span WHERE fingerprint = :fingerprint ORDER BY start_us DESC LIMIT 1";

/** A call of a database or a cache. */
export interface RecentCall {
  readonly fingerprint: string;
  readonly system: string;
  readonly traceId: string;
  readonly resourceId: number;
  readonly ns: number;
  /** Of that, for a pooled connection. */
  readonly waitMs: number;
  readonly hits: number;
  readonly misses: number;
  /** Of the request that it was made for; undefined where none is known. */
  readonly route: string | undefined;
}

export interface RecentCalls {
  readonly calls: readonly RecentCall[];
  /** What the calls of a fingerprint have in common, as the last one tells it. */
  attributesOf(fingerprint: string): AttributeMap;
}

/** Those of the window among the newest 20,000 spans. */
export function readRecentCalls(store: Store, window: TimeWindow): RecentCalls {
  const columns = readColumns<{
    fingerprint: string | null;
    system: string | null;
    traceId: string;
    resourceId: number;
    ns: number;
    hits: number;
    misses: number;
    isEntry: 0 | 1;
    route: string | null;
    waitMs: unknown;
  }>(store, RECENT, boundsOf(window));
  const routes = new Map<string, string>();
  for (const [index, isEntry] of columns.isEntry.entries()) {
    const route = columns.route[index] ?? null;
    const key = `${columns.traceId[index]} ${columns.resourceId[index]}`;
    if (isEntry === 1 && route !== null && !routes.has(key)) routes.set(key, route);
  }
  const calls: RecentCall[] = [];
  for (const [index, fingerprint] of columns.fingerprint.entries()) {
    if (fingerprint === null) continue;
    const traceId = columns.traceId[index] ?? "";
    const resourceId = columns.resourceId[index] ?? 0;
    const waitMs = columns.waitMs[index];
    calls.push({
      fingerprint,
      system: columns.system[index] ?? "",
      traceId,
      resourceId,
      ns: columns.ns[index] ?? 0,
      waitMs: typeof waitMs === "number" ? waitMs : 0,
      hits: columns.hits[index] ?? 0,
      misses: columns.misses[index] ?? 0,
      route: routes.get(`${traceId} ${resourceId}`),
    });
  }
  const known = new Map<string, AttributeMap>();
  return {
    calls,
    attributesOf(fingerprint) {
      let attributes = known.get(fingerprint);
      if (attributes === undefined) {
        const row = readRow<{ attributes: string }>(store, LAST, { fingerprint });
        known.set(fingerprint, (attributes = parseObject(row?.attributes ?? "")));
      }
      return attributes;
    },
  };
}

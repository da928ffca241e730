import type { Store } from "../store/open-store.js";
import type { Did } from "./answers.js";
import { CACHE_SYSTEMS } from "./cache-systems.js";
import { readRows } from "./read-rows.js";

interface BelowRow {
  readonly span_id: string;
  readonly parent_id: string;
  readonly resource_id: number;
  readonly is_entry: number;
  readonly name: string;
  readonly ns: number;
  readonly is_query: number;
  readonly cache_hits: number;
  readonly cache_misses: number;
  readonly is_http: number;
  readonly finding: string | null;
}

/** What only begins, ends or prepares work is no query: `telltale.request.queries` does not count it either. */
const CONTROL = new Set(
  "BEGIN START COMMIT END ROLLBACK ABORT SAVEPOINT RELEASE SET RESET DISCARD LISTEN UNLISTEN NOTIFY DEALLOCATE PREPARE LOCK CLOSE USE UNLOCK".split(
    " ",
  ),
);

const OF_TRACE = `
SELECT span_id, parent_id, resource_id, is_entry, name, duration_ns AS ns, cache_hits, cache_misses, finding,
  fingerprint IS NOT NULL AND ifnull(db_system, '') NOT IN (${CACHE_SYSTEMS.map((name) => `'${name}'`).join(", ")}) AS is_query,
  CASE WHEN kind = 3 AND fingerprint IS NULL THEN instr(attributes, '"http.') > 0 ELSE 0 END AS is_http
FROM span WHERE trace_id = :trace`;

interface Below {
  readonly did: Did;
  /** Kinds, of the request's own span too. */
  readonly findings: readonly string[];
}

export interface Work {
  /** What a request did: all below it in its service, without what is below another request, which is that one's. */
  of(traceId: string, spanId: string): Below;
}

/** Reads a trace once for all requests in it. */
export function createWork(store: Store, services: ReadonlyMap<number, string>): Work {
  const traces = new Map<string, Map<string, BelowRow[]>>();

  function childrenIn(traceId: string): Map<string, BelowRow[]> {
    let children = traces.get(traceId);
    if (children !== undefined) return children;
    traces.set(traceId, (children = new Map()));
    for (const row of readRows<BelowRow>(store, OF_TRACE, { trace: traceId })) {
      // A request stands below nobody: so it is found by its own id.
      const key = row.is_entry === 1 ? `entry ${row.span_id}` : row.parent_id;
      const brothers = children.get(key);
      if (brothers === undefined) children.set(key, [row]);
      else brothers.push(row);
    }
    return children;
  }

  return {
    of(traceId, spanId) {
      const children = childrenIn(traceId);
      const [entry] = children.get(`entry ${spanId}`) ?? [];
      const below = entry === undefined ? [] : collect(children, entry, services);
      const kinds = new Set([entry, ...below].map((row) => row?.finding ?? "").filter((kind) => kind !== ""));
      return { did: sum(below), findings: [...kinds] };
    },
  };
}

function collect(
  children: ReadonlyMap<string, readonly BelowRow[]>,
  entry: BelowRow,
  services: ReadonlyMap<number, string>,
): BelowRow[] {
  const service = services.get(entry.resource_id);
  const below: BelowRow[] = [];
  // Parents may form a cycle.
  const seen = new Set([entry.span_id]);
  for (const id of seen) {
    for (const row of children.get(id) ?? []) {
      if (seen.has(row.span_id) || services.get(row.resource_id) !== service) continue;
      seen.add(row.span_id);
      below.push(row);
    }
  }
  return below;
}

function sum(rows: readonly BelowRow[]): Did {
  const queries = rows.filter(({ is_query, name }) => is_query === 1 && !isControl(name));
  return {
    spans: rows.length,
    queries: queries.length,
    queryMs: queries.reduce((ns, row) => ns + row.ns, 0) / 1e6,
    cacheHits: rows.reduce((hits, row) => hits + row.cache_hits, 0),
    cacheMisses: rows.reduce((misses, row) => misses + row.cache_misses, 0),
    httpCalls: rows.filter(({ is_http }) => is_http === 1).length,
  };
}

function isControl(name: string): boolean {
  const end = name.indexOf(" ");
  return CONTROL.has((end < 0 ? name : name.slice(0, end)).slice(0, 20).toUpperCase());
}

import { performance } from "node:perf_hooks";
import type { Store } from "../store/open-store.js";
import type { RequestItem, Requests } from "./answers.js";
import { createWork } from "./did.js";
import { readNumber, readText, refuse } from "./parameters.js";
import { eachRow, readRow, readRows } from "./read-rows.js";
import { REQUEST_COLUMNS, requestOf, type RequestRow } from "./request-item.js";
import { readServices } from "./services.js";

/** Where the answer before ended: requests are in the order of their start, and of their row where that is the same. */
interface Cursor {
  readonly us: number;
  readonly id: number;
}
const NEWEST: Cursor = { us: Number.MAX_SAFE_INTEGER, id: Number.MAX_SAFE_INTEGER };

/** Looking into traces ends then: what was found is answered, and where to go on. */
const MAX_SEARCH_MS = 120;
const MAX_NAMES = 500;

/** Of indexes alone, in their order; `route` is compared by the index where one is given. */
const entries = (route: string) => `
SELECT id, trace_id, span_id, start_us FROM span INDEXED BY ${route === "" ? "span_entry" : "span_route"}
WHERE is_entry = 1 ${route} AND (start_us, id) < (:us, :id)
  AND (:service IS NULL OR resource_id IN (SELECT id FROM resource WHERE service = :service))
  AND (:lowest IS NULL OR http_status BETWEEN :lowest AND :highest)
  AND (:failed = 0 OR status = 2 OR http_status >= 500)
  AND duration_ns >= :slower
  AND (:finding IS NULL OR EXISTS (
    SELECT 1 FROM span AS found WHERE found.trace_id = span.trace_id AND found.finding IS NOT NULL AND :finding IN ('any', found.finding)))
ORDER BY start_us DESC, id DESC`;
const ALL = entries("");
const OF_ROUTE = entries("AND route = :route");

const BY_ID = `SELECT ${REQUEST_COLUMNS} FROM span WHERE id = :id`;

const HAS_TEXT = `
SELECT 1 FROM span WHERE trace_id = :trace
  AND (name LIKE :text ESCAPE '\\' OR route LIKE :text ESCAPE '\\' OR attributes LIKE :json ESCAPE '\\') LIMIT 1`;

const ROUTES = `
WITH RECURSIVE each (route) AS (
  SELECT min(route) FROM span WHERE is_entry = 1
  UNION ALL SELECT (SELECT min(route) FROM span WHERE is_entry = 1 AND route > each.route) FROM each WHERE route IS NOT NULL
  LIMIT ${MAX_NAMES}
) SELECT route AS name FROM each WHERE route IS NOT NULL`;
const SERVICES = `SELECT DISTINCT service AS name FROM resource ORDER BY service LIMIT ${MAX_NAMES}`;

/** `GET /api/requests` */
export function answerRequests(store: Store, url: URL): Requests {
  const limit = readNumber(url, "limit", 100, 1, 1_000);
  const text = readText(url, "text");
  const finding = readText(url, "finding");
  const route = readText(url, "route");
  const parameters = {
    ...readCursor(url),
    ...readStatus(url),
    service: readText(url, "service") ?? null,
    slower: readNumber(url, "slower", 0, 0, 1e9) * 1e6,
    finding: finding ?? null,
  };
  const services = readServices(store);
  const work = createWork(store, services);
  const hasText = text === undefined ? () => true : searchIn(store, text);
  const names = (sql: string): string[] => readRows<{ name: string }>(store, sql).map(({ name }) => name);
  const requests: RequestItem[] = [];
  const untilMs = performance.now() + MAX_SEARCH_MS;
  let last: Cursor | undefined;
  let next: string | null = null;
  const rows =
    route === undefined
      ? eachRow<Entry>(store, ALL, parameters)
      : eachRow<Entry>(store, OF_ROUTE, { ...parameters, route });
  for (const { id, start_us: us, trace_id: traceId, span_id: spanId } of rows) {
    if (last !== undefined && (requests.length >= limit || performance.now() > untilMs)) {
      next = `${last.us}-${last.id}`;
      break;
    }
    last = { us, id };
    if (finding !== undefined && !matches(finding, work.of(traceId, spanId).findings)) continue;
    if (!hasText(traceId)) continue;
    const row = readRow<RequestRow>(store, BY_ID, { id });
    if (row !== undefined) requests.push(requestOf(row, services, work));
  }
  return { requests, next, services: names(SERVICES), routes: names(ROUTES) };
}

interface Entry {
  readonly id: number;
  readonly trace_id: string;
  readonly span_id: string;
  readonly start_us: number;
}

/** The finding may be another request's of the same trace. */
function matches(wanted: string, kinds: readonly string[]): boolean {
  return wanted === "any" ? kinds.length > 0 : kinds.includes(wanted);
}

/** Whether the text is in names, routes and attributes of a trace; each is looked through once. */
function searchIn(store: Store, text: string): (trace: string) => boolean {
  const known = new Map<string, boolean>();
  const like = (part: string): string => `%${part.replaceAll(/[\\%_]/g, "\\$&")}%`;
  // Attributes are kept as JSON.
  const parameters = { text: like(text), json: like(JSON.stringify(text).slice(1, -1)) };
  return (trace) => {
    let has = known.get(trace);
    if (has === undefined) known.set(trace, (has = readRow(store, HAS_TEXT, { ...parameters, trace }) !== undefined));
    return has;
  };
}

/** `2xx`, `404`, or `error` for those that failed. */
function readStatus(url: URL): {
  readonly lowest: number | null;
  readonly highest: number | null;
  readonly failed: 0 | 1;
} {
  const text = readText(url, "status");
  if (text === undefined) return { lowest: null, highest: null, failed: 0 };
  if (text === "error") return { lowest: null, highest: null, failed: 1 };
  if (/^[1-5]xx$/.test(text)) return { lowest: Number(text[0]) * 100, highest: Number(text[0]) * 100 + 99, failed: 0 };
  if (/^[1-5]\d\d$/.test(text)) return { lowest: Number(text), highest: Number(text), failed: 0 };
  return refuse("status", "2xx, 404 or error, or another of these", text);
}

function readCursor(url: URL): Cursor {
  const text = readText(url, "before");
  if (text === undefined) return NEWEST;
  const parts = /^(-?\d{1,15}|-?\d{16})-(\d{1,15})$/.exec(text);
  if (parts === null) return refuse("before", "the `next` of the answer before", text);
  return { us: Number(parts[1]), id: Number(parts[2]) };
}

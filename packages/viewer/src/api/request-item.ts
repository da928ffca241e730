import type { AttributeMap, RequestItem } from "./answers.js";
import { parseObject, textOf } from "./attributes.js";
import type { Work } from "./did.js";

/** Columns of `span`. */
export const REQUEST_COLUMNS =
  "trace_id, span_id, resource_id, route, name, http_status, status, start_us, duration_ns, attributes";

export interface RequestRow {
  readonly trace_id: string;
  readonly span_id: string;
  readonly resource_id: number;
  readonly route: string | null;
  readonly name: string;
  readonly http_status: number | null;
  readonly status: number;
  readonly start_us: number;
  readonly duration_ns: number;
  readonly attributes: string;
}

export function requestOf(row: RequestRow, services: ReadonlyMap<number, string>, work: Work): RequestItem {
  return {
    traceId: row.trace_id,
    spanId: row.span_id,
    service: services.get(row.resource_id) ?? "",
    route: row.route ?? row.name,
    name: row.name,
    target: targetOf(parseObject(row.attributes)),
    status: row.http_status,
    isError: row.status === 2 || (row.http_status ?? 0) >= 500,
    startMs: row.start_us / 1000,
    durationMs: row.duration_ns / 1e6,
    ...work.of(row.trace_id, row.span_id),
  };
}

/** By the conventions of now and of old. */
function targetOf(attributes: AttributeMap): string | null {
  const path = textOf(attributes, "url.path");
  if (path === null) return textOf(attributes, "http.target", "url.full", "http.url");
  const query = textOf(attributes, "url.query");
  return query === null ? path : `${path}?${query}`;
}

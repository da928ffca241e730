import { eachRow, readRow } from "../api/read-rows.js";
import type { Store } from "../store/open-store.js";

/** A span as it is kept, with what sent it. */
export interface SpanRow {
  readonly trace_id: string;
  readonly span_id: string;
  readonly parent_id: string;
  readonly resource_id: number;
  readonly scope: string;
  readonly name: string;
  readonly kind: number;
  readonly start_us: number;
  readonly duration_ns: number;
  readonly status: number;
  readonly status_message: string;
  readonly attributes: string;
  readonly events: string;
  readonly links: string;
  readonly trace_state: string;
  readonly service: string;
  readonly resource: string;
}

/** What one answer has room for. */
export interface Room {
  spans: number;
  bytes: number;
}

export interface TraceRows {
  readonly traceId: string;
  readonly spans: readonly SpanRow[];
  /** Kept, and not in this answer: there was no room. */
  readonly leftOut: number;
}

export function makeRoom(): Room {
  return { spans: 50_000, bytes: 64 * 1024 * 1024 };
}

const SPANS = `
  SELECT s.trace_id, s.span_id, s.parent_id, s.resource_id, s.scope, s.name, s.kind, s.start_us, s.duration_ns, s.status,
    s.status_message, s.attributes, s.events, s.links, s.trace_state, r.service, r.attributes AS resource
  FROM span s JOIN resource r ON r.id = s.resource_id
  WHERE s.trace_id = :traceId ORDER BY s.id`;
const COUNT = "SELECT count(*) AS count FROM span WHERE trace_id = :traceId";

/** The spans of a trace in the order in which they came; undefined where there are none. Takes of `room` what they need. */
export function readTrace(store: Store, traceId: string, room: Room): TraceRows | undefined {
  const count = readRow<{ count: number }>(store, COUNT, { traceId })?.count ?? 0;
  if (count === 0) return undefined;
  const spans: SpanRow[] = [];
  if (room.spans > 0 && room.bytes > 0) {
    for (const row of eachRow<SpanRow>(store, SPANS, { traceId })) {
      room.spans -= 1;
      room.bytes -= row.attributes.length + row.events.length + row.links.length + row.name.length;
      if (room.spans < 0 || room.bytes < 0) break;
      spans.push(row);
    }
  }
  return { traceId, spans, leftOut: count - spans.length };
}

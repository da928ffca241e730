import type { EventMessage, LinkMessage, SpanMessage, TracesRequest } from "@telltale/otlp";
import { describeSpan } from "./describe-span.js";
import type { Entry, Refusal } from "./entries.js";
import { MAX_NAME, MAX_ROW } from "./limits.js";
import type { Store } from "./open-store.js";
import type { Resources } from "./resources.js";
import type { Tally } from "./tally.js";
import { durationOf, microsOf, nowMicros } from "./times.js";
import { attributesJson, type Budget, cutText } from "./write-values.js";

export function* eachSpan(request: TracesRequest): Generator<Entry<SpanMessage>> {
  for (const { resource, scopeSpans = [] } of request.resourceSpans ?? [])
    for (const { scope, spans = [] } of scopeSpans) for (const item of spans) yield { resource, scope, item };
}

const COLUMNS =
  "id, trace_id, span_id, parent_id, resource_id, scope, name, kind, start_us, duration_ns, status, status_message, is_entry, route, http_status, fingerprint, db_system, db_rows, is_slow, cache_hits, cache_misses, finding, attributes, events, links, trace_state";

/** Keeps spans; what cannot be kept is told. */
export function createSpanWriter(
  { db }: Store,
  resources: Resources,
  tally: Tally,
): (entry: Entry<SpanMessage>) => Refusal {
  const insert = db.prepare(`INSERT INTO span (${COLUMNS}) VALUES (${COLUMNS.replaceAll(/\w+/g, "?")})`);

  return ({ resource, scope, item: span }) => {
    const { traceId = "", spanId = "", parentSpanId = "" } = span;
    if (!isId(traceId, 32)) return "a trace id must be 16 bytes (32 hexadecimal digits), not all 0";
    if (!isId(spanId, 16)) return "a span id must be 8 bytes (16 hexadecimal digits), not all 0";
    const parentId = isId(parentSpanId, 16) ? parentSpanId : "";
    if (parentId === "" && parentSpanId !== "" && !isZero(parentSpanId))
      return "a parent's span id must be 8 bytes (16 hexadecimal digits)";
    const resourceId = resources.idOf(resource, "span");
    if (resourceId === undefined) return "too many resources: no room for another";

    const budget: Budget = { chars: MAX_ROW, cuts: 0 };
    const name = cutText(span.name ?? "", MAX_NAME, budget);
    const about = describeSpan(span, name, parentId !== "");
    const { startTimeUnixNano: start = 0n, endTimeUnixNano: end = 0n } = span;
    const from = start === 0n ? end : start;
    insert.run(
      ++tally.span.last,
      traceId,
      spanId,
      parentId,
      resourceId,
      cutText(scope?.name ?? "", MAX_NAME, budget),
      name,
      oneOf(span.kind, 5),
      from === 0n ? nowMicros() : microsOf(from),
      durationOf(from, end),
      oneOf(span.status?.code, 2),
      cutText(span.status?.message ?? "", MAX_NAME * 4, budget),
      about.isEntry ? 1 : 0,
      about.route,
      about.httpStatus,
      about.fingerprint,
      about.system,
      about.rows,
      about.isSlow ? 1 : 0,
      about.hits,
      about.misses,
      about.finding,
      attributesJson(span.attributes, budget),
      listJson(span.events, eventJson, budget),
      listJson(span.links, linkJson, budget),
      cutText(span.traceState ?? "", MAX_NAME, budget),
    );
    tally.cuts += budget.cuts;
    return undefined;
  };
}

/** Hexadecimal digits, and not all of them 0. */
export function isId(text: string, digits: number): boolean {
  return text.length === digits && /^[\da-f]+$/.test(text) && !isZero(text);
}

function isZero(text: string): boolean {
  return /^0+$/.test(text);
}

/** A number of an enum; 0 for those that nobody knows. */
export function oneOf(value: number | undefined, highest: number): number {
  return value !== undefined && value >= 0 && value <= highest ? value : 0;
}

function listJson<T>(items: readonly T[] | undefined, write: (item: T, budget: Budget) => string, budget: Budget) {
  if (items === undefined || items.length === 0) return "[]";
  const parts: string[] = [];
  for (const item of items) {
    if (budget.chars <= 0) {
      budget.cuts += 1;
      break;
    }
    const json = write(item, budget);
    budget.chars -= 80;
    parts.push(json);
  }
  return `[${parts.join(",")}]`;
}

function eventJson({ name = "", timeUnixNano = 0n, attributes }: EventMessage, budget: Budget): string {
  const title = JSON.stringify(cutText(name, MAX_NAME, budget));
  budget.chars -= title.length;
  return `{"name":${title},"timeMs":${microsOf(timeUnixNano) / 1_000},"attributes":${attributesJson(attributes, budget)}}`;
}

function linkJson({ traceId = "", spanId = "", attributes }: LinkMessage, budget: Budget): string {
  const ids = `"traceId":"${isId(traceId, 32) ? traceId : ""}","spanId":"${isId(spanId, 16) ? spanId : ""}"`;
  return `{${ids},"attributes":${attributesJson(attributes, budget)}}`;
}

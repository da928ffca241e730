import type { SpanMessage } from "@telltale/otlp";
import { fingerprintOf } from "./fingerprint-of.js";
import { MAX_NAME } from "./limits.js";
import { countAt, findAttributes, type Found, textAt } from "./read-attributes.js";
import { FINDING_EVENT } from "./write-findings.js";
import { cutText } from "./write-values.js";

const SERVER = 2;
const CLIENT = 3;
const PRODUCER = 4;
const CONSUMER = 5;

const WANTED = new Set([
  "http.route",
  "http.request.method",
  "http.method",
  "http.response.status_code",
  "http.status_code",
  "db.system.name",
  "db.system",
  "db.namespace",
  "db.name",
  "db.query.text",
  "db.statement",
  "db.query.summary",
  "db.operation.name",
  "db.operation",
  "db.response.returned_rows",
  "db.response.affected_rows",
  "telltale.slow.reason",
  "telltale.cache.hits",
  "telltale.cache.misses",
  "telltale.finding.kind",
]);
const KIND = new Set(["telltale.finding.kind"]);

/** What lists are made of: taken from a span's attributes, by the names of now and those of old. */
export interface SpanDescription {
  readonly isEntry: boolean;
  readonly route: string | null;
  readonly httpStatus: number | null;
  readonly fingerprint: string | null;
  readonly system: string | null;
  readonly rows: number | null;
  readonly isSlow: boolean;
  readonly hits: number;
  readonly misses: number;
  readonly finding: string | null;
}

export function describeSpan(span: SpanMessage, name: string, hasParent: boolean): SpanDescription {
  const found = findAttributes(span.attributes, WANTED);
  const { kind } = span;
  // A call that the program makes by itself is no request to it.
  const isJob = !hasParent && kind !== CLIENT && kind !== PRODUCER;
  const isEntry = isJob || kind === SERVER || kind === CONSUMER;
  const system = textAt(found, "db.system.name", "db.system");
  return {
    isEntry,
    route: isEntry ? routeOf(found, name) : null,
    httpStatus: countAt(found, "http.response.status_code", "http.status_code") ?? null,
    fingerprint: system === undefined ? null : queryOf(found, system, name),
    system: system === undefined ? null : shorten(system),
    rows: countAt(found, "db.response.returned_rows", "db.response.affected_rows") ?? null,
    isSlow: found.has("telltale.slow.reason"),
    hits: countAt(found, "telltale.cache.hits") ?? 0,
    misses: countAt(found, "telltale.cache.misses") ?? 0,
    finding: findingOf(span, found),
  };
}

/** `GET /orders/:id`, or the span's name. */
function routeOf(found: Found, name: string): string {
  const route = textAt(found, "http.route");
  // Lists show it and are narrowed down to it: it has to be something.
  if (route === undefined) return name.trim() === "" ? "unnamed" : name;
  const method = textAt(found, "http.request.method", "http.method");
  return shorten(method === undefined ? route : `${method} ${route}`);
}

function queryOf(found: Found, system: string, name: string): string {
  const summary = textAt(found, "db.query.summary", "db.operation.name", "db.operation") ?? name;
  return fingerprintOf(
    system,
    textAt(found, "db.namespace", "db.name"),
    textAt(found, "db.query.text", "db.statement"),
    summary,
  );
}

/** On the span itself, or in an event: one who adds findings to the plain SDK's spans has only those. */
function findingOf(span: SpanMessage, found: Found): string | null {
  const kind = textAt(found, "telltale.finding.kind");
  if (kind !== undefined) return shorten(kind);
  for (const event of span.events ?? []) {
    if (event.name !== FINDING_EVENT) continue;
    const told = textAt(findAttributes(event.attributes, KIND), "telltale.finding.kind");
    if (told !== undefined) return shorten(told);
  }
  return null;
}

function shorten(text: string): string {
  return cutText(text, MAX_NAME, { chars: MAX_NAME, cuts: 0 });
}

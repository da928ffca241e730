import { context, INVALID_TRACEID, type SpanContext } from "@opentelemetry/api";
import { spanOf } from "@telltale/core";

/**
 * Which trace a log line belongs to, by the names of OpenTelemetry's "Trace Context in non-OTLP Log Formats". `trace_flags` says whether the
 * trace is exported: `01`.
 */
export interface TraceFields {
  readonly trace_id: string;
  readonly span_id: string;
  readonly trace_flags: string;
}

const NAMES = ["trace_id", "span_id", "trace_flags"] as const;

/** Those of the active span; undefined where there is none. */
export function activeFields(): TraceFields | undefined {
  const span = spanOf(context.active());
  if (span === undefined) return undefined;
  const of = span.spanContext();
  return of.traceId === INVALID_TRACEID ? undefined : fieldsOf(of);
}

function fieldsOf({ traceId, spanId, traceFlags }: SpanContext): TraceFields {
  return { trace_id: traceId, span_id: spanId, trace_flags: traceFlags === 1 ? "01" : asHex(traceFlags) };
}

function asHex(flags: number): string {
  return flags.toString(16).padStart(2, "0");
}

/** Whether the app has a field of one of these names; it is then left with what it has. */
export function hasFields(record: object): boolean {
  return NAMES.some((name) => name in record);
}

/** A JSON object with the fields at its end; as it is where it has one already, or is no object. What comes after the object stays. */
export function addToJson(line: string, fields: TraceFields): string {
  const end = line.lastIndexOf("}");
  if (end < 1 || isTaken(line)) return line;
  const comma = line[end - 1] === "{" ? "" : ",";
  const { trace_id, span_id, trace_flags } = fields;
  return `${line.slice(0, end)}${comma}"trace_id":"${trace_id}","span_id":"${span_id}","trace_flags":"${trace_flags}"${line.slice(end)}`;
}

/** To parse each line would take longer than to write it. Most hold none of these words; with quotes to look for, this takes four times as long. */
function isTaken(line: string): boolean {
  if (!line.includes("trace_") && !line.includes("span_id")) return false;
  const record = readObject(line);
  return record === undefined || hasFields(record);
}

/** What a line of JSON says; undefined where it is something else. */
export function readObject(line: string): object | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** For lines of text. */
export function asText({ trace_id, span_id, trace_flags }: TraceFields): string {
  return `trace_id=${trace_id} span_id=${span_id} trace_flags=${trace_flags}`;
}

/** Whether something that is printed says it already. */
export function isInText(printed: unknown): boolean {
  return typeof printed === "string" && printed.includes("trace_id");
}

import { KeyValue, Resource, Scope } from "./common-messages.js";
import { parse } from "./json.js";
import { message } from "./message.js";
import { decode } from "./protobuf.js";

const Event = message({
  1: ["timeUnixNano", () => "nanos"],
  2: ["name", () => "string"],
  3: ["attributes", () => KeyValue, "many"],
});
const Link = message({
  1: ["traceId", () => "id"],
  2: ["spanId", () => "id"],
  3: ["traceState", () => "string"],
  4: ["attributes", () => KeyValue, "many"],
  6: ["flags", () => "fixed32"],
});
const Status = message({ 2: ["message", () => "string"], 3: ["code", () => "enum"] });
const Span = message({
  1: ["traceId", () => "id"],
  2: ["spanId", () => "id"],
  3: ["traceState", () => "string"],
  4: ["parentSpanId", () => "id"],
  5: ["name", () => "string"],
  6: ["kind", () => "enum"],
  7: ["startTimeUnixNano", () => "nanos"],
  8: ["endTimeUnixNano", () => "nanos"],
  9: ["attributes", () => KeyValue, "many"],
  11: ["events", () => Event, "many"],
  13: ["links", () => Link, "many"],
  15: ["status", () => Status],
  16: ["flags", () => "fixed32"],
});
const ScopeSpans = message({ 1: ["scope", () => Scope], 2: ["spans", () => Span, "many"] });
const ResourceSpans = message({ 1: ["resource", () => Resource], 2: ["scopeSpans", () => ScopeSpans, "many"] });
const ExportTraceServiceRequest = message({ 1: ["resourceSpans", () => ResourceSpans, "many"] });

export interface SpanMessage {
  /** 32 hexadecimal digits, where it is right. */
  readonly traceId?: string;
  /** 16 hexadecimal digits, where it is right. */
  readonly spanId?: string;
  readonly traceState?: string;
  readonly parentSpanId?: string;
  readonly name?: string;
  /** 0 unspecified, 1 internal, 2 server, 3 client, 4 producer, 5 consumer. */
  readonly kind?: number;
  readonly startTimeUnixNano?: bigint;
  readonly endTimeUnixNano?: bigint;
  readonly attributes?: readonly KeyValue[];
  readonly events?: readonly EventMessage[];
  readonly links?: readonly LinkMessage[];
  /** 0 unset, 1 ok, 2 error. */
  readonly status?: { readonly message?: string; readonly code?: number };
  readonly flags?: number;
}

export interface EventMessage {
  readonly timeUnixNano?: bigint;
  readonly name?: string;
  readonly attributes?: readonly KeyValue[];
}

export interface LinkMessage {
  readonly traceId?: string;
  readonly spanId?: string;
  readonly traceState?: string;
  readonly attributes?: readonly KeyValue[];
  readonly flags?: number;
}

export interface TracesRequest {
  readonly resourceSpans?: readonly {
    readonly resource?: Resource;
    readonly scopeSpans?: readonly { readonly scope?: Scope; readonly spans?: readonly SpanMessage[] }[];
  }[];
}

/** An ExportTraceServiceRequest. Throws an OtlpError. */
export function decodeTraces(bytes: Uint8Array): TracesRequest {
  return decode(ExportTraceServiceRequest, bytes);
}

/** The same in JSON. */
export function parseTraces(text: string): TracesRequest {
  return parse(ExportTraceServiceRequest, text);
}

import type { AttributeMap, Value } from "../api/answers.js";
import { parseObject } from "../api/attributes.js";
import { readEvents, readLinks } from "./read-details.js";
import type { SpanRow, TraceRows } from "./read-spans.js";
import { kindOf, showText, STATUS_NAMES } from "./span-values.js";
import { showTraceId } from "./trace-id.js";

// Jaeger's own JSON, as its UI and Grafana read it: internal/uimodel/model.go of github.com/jaegertracing/jaeger. Times and durations are
// whole microseconds. How a span of OpenTelemetry becomes one: pkg/translator/jaeger of opentelemetry-collector-contrib.

export interface UiTrace {
  readonly traceID: string;
  readonly spans: readonly UiSpan[];
  readonly processes: Readonly<Record<string, UiProcess>>;
  readonly warnings: readonly string[] | null;
}

interface UiSpan {
  readonly traceID: string;
  readonly spanID: string;
  readonly operationName: string;
  readonly references: readonly UiReference[];
  readonly startTime: number;
  readonly duration: number;
  readonly tags: readonly UiTag[];
  readonly logs: readonly { readonly timestamp: number; readonly fields: readonly UiTag[] }[];
  readonly processID: string;
  readonly warnings: readonly string[] | null;
}

interface UiProcess {
  readonly serviceName: string;
  readonly tags: readonly UiTag[];
}

interface UiReference {
  readonly refType: "CHILD_OF" | "FOLLOWS_FROM";
  readonly traceID: string;
  readonly spanID: string;
}

interface UiTag {
  readonly key: string;
  readonly type: "string" | "bool" | "int64" | "float64";
  readonly value: string | number | boolean;
}

export function toUiTrace({ traceId, spans, leftOut }: TraceRows): UiTrace {
  const processes: Record<string, UiProcess> = {};
  const ids = new Map<number, string>();
  const uiSpans = spans.map((span) => {
    let processId = ids.get(span.resource_id);
    if (processId === undefined) {
      ids.set(span.resource_id, (processId = `p${ids.size + 1}`));
      processes[processId] = toProcess(span);
    }
    return toUiSpan(span, processId);
  });
  return {
    traceID: showTraceId(traceId),
    spans: uiSpans,
    processes,
    warnings: leftOut === 0 ? null : [`${leftOut} more spans are kept: this answer has no room for them`],
  };
}

function toProcess({ service, resource }: SpanRow): UiProcess {
  const tags = toTags(parseObject(resource)).filter(({ key }) => key !== "service.name");
  return { serviceName: service, tags };
}

function toUiSpan(span: SpanRow, processID: string): UiSpan {
  const links = readLinks(span);
  return {
    traceID: showTraceId(span.trace_id),
    spanID: span.span_id,
    operationName: span.name,
    references: [
      ...(span.parent_id === "" ? [] : [refer("CHILD_OF", span.trace_id, span.parent_id)]),
      ...links.map(({ traceId, spanId, attributes }) =>
        // How what came as OpenTracing says so.
        refer(attributes["opentracing.ref_type"] === "child_of" ? "CHILD_OF" : "FOLLOWS_FROM", traceId, spanId),
      ),
    ],
    startTime: span.start_us,
    duration: Math.floor(span.duration_ns / 1_000),
    tags: spanTags(span),
    logs: readEvents(span).map(({ name, timeUs, attributes }) => ({
      timestamp: timeUs,
      fields: [...(name === "" ? [] : [stringTag("event", name)]), ...toTags(attributes)],
    })),
    processID,
    warnings: null,
  };
}

function refer(refType: UiReference["refType"], traceId: string, spanID: string): UiReference {
  return { refType, traceID: showTraceId(traceId), spanID };
}

function spanTags(span: SpanRow): UiTag[] {
  const tags = toTags(parseObject(span.attributes));
  if (span.scope !== "") tags.unshift(stringTag("otel.scope.name", span.scope));
  if (kindOf(span.kind) !== "") tags.push(stringTag("span.kind", kindOf(span.kind)));
  if (span.status !== 0) tags.push(stringTag("otel.status_code", STATUS_NAMES[span.status] ?? "UNSET"));
  if (span.status === 2) tags.push({ key: "error", type: "bool", value: true });
  if (span.status_message !== "") tags.push(stringTag("otel.status_description", span.status_message));
  if (span.trace_state !== "") tags.push(stringTag("w3c.tracestate", span.trace_state));
  return tags;
}

function toTags(attributes: AttributeMap): UiTag[] {
  return Object.entries(attributes).map(([key, value]) => toTag(key, value));
}

function toTag(key: string, value: Value): UiTag {
  if (typeof value === "boolean") return { key, type: "bool", value };
  if (typeof value === "number") return { key, type: Number.isInteger(value) ? "int64" : "float64", value };
  return stringTag(key, showText(value));
}

function stringTag(key: string, value: string): UiTag {
  return { key, type: "string", value };
}

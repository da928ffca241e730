import { SpanKind } from "@opentelemetry/api";
import { JsonTraceSerializer, ProtobufTraceSerializer } from "@opentelemetry/otlp-transformer";
import type { ReadableSpan } from "@opentelemetry/sdk-trace";
import type { Micro } from "./micro.js";
import { queryAttributes, sdkProvider } from "./providers.js";

const BATCH = 512;

/** The engine encodes when a span ends, so its share is in `spans`. */
export function encode(): Micro[] {
  const ended: ReadableSpan[] = [];
  const tracer = sdkProvider((span) => void ended.push(span)).getTracer("bench");
  for (let i = 0; i < BATCH; i++) {
    tracer.startSpan("query", { kind: SpanKind.CLIENT, attributes: queryAttributes() }).end();
  }
  return [
    {
      name: "OTLP protobuf, per span of a batch (SDK)",
      operations: BATCH,
      run: () => ProtobufTraceSerializer.serializeRequest(ended),
    },
    {
      name: "OTLP JSON, per span of a batch (SDK)",
      operations: BATCH,
      run: () => JsonTraceSerializer.serializeRequest(ended),
    },
  ];
}

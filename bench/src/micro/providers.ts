import type { Attributes, TracerProvider } from "@opentelemetry/api";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { type ReadableSpan, TracerProvider as SdkTracerProvider } from "@opentelemetry/sdk-trace";
import { createTracerProvider, type EngineTracerProvider, SpanExport } from "@telltale/tracing";

const resource = resourceFromAttributes({ "service.name": "bench" });

/** The engine, encoding every span for a collector that is always there. */
export function engineProvider(): EngineTracerProvider {
  return createTracerProvider({ resource, export: new SpanExport({ deliver: async () => ({ ok: true }) }) });
}

/** The stock SDK; ended spans go to `ended` and no further: it encodes them later, which `encode` measures. */
export function sdkProvider(ended: (span: ReadableSpan) => void): TracerProvider {
  const processor = {
    onStart() {},
    onEnd: ended,
    forceFlush: () => Promise.resolve(),
    shutdown: () => Promise.resolve(),
  };
  return new SdkTracerProvider({ resource, spanProcessors: [processor] });
}

/** What the span of a query carries. */
export function queryAttributes(): Attributes {
  return {
    "db.system.name": "postgresql",
    "db.namespace": "bench",
    "server.address": "127.0.0.1",
    "server.port": 5432,
    "db.query.text": "SELECT id, name, price, stock, updated_at FROM items WHERE id = $1",
  };
}

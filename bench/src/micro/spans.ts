import { ROOT_CONTEXT, SpanKind, trace, type TracerProvider } from "@opentelemetry/api";
import type { Micro } from "./micro.js";
import { engineProvider, queryAttributes, sdkProvider } from "./providers.js";

export function spans(): Micro[] {
  return [
    ...spansOf("engine, encoded", engineProvider()),
    ...spansOf(
      "SDK, not encoded",
      sdkProvider(() => {}),
    ),
  ];
}

function spansOf(label: string, provider: TracerProvider): Micro[] {
  const tracer = provider.getTracer("bench");
  const parent = trace.setSpan(ROOT_CONTEXT, tracer.startSpan("parent", {}, ROOT_CONTEXT));
  return [
    {
      name: `span, no attributes (${label})`,
      run: () => tracer.startSpan("query", undefined, parent).end(),
    },
    {
      name: `span, 5 attributes at its start (${label})`,
      run: () => tracer.startSpan("query", { kind: SpanKind.CLIENT, attributes: queryAttributes() }, parent).end(),
    },
    {
      name: `span, 5 attributes one by one (${label})`,
      run() {
        const span = tracer.startSpan("query", { kind: SpanKind.CLIENT }, parent);
        const attributes = queryAttributes();
        for (const name in attributes) span.setAttribute(name, attributes[name] ?? "");
        span.end();
      },
    },
  ];
}

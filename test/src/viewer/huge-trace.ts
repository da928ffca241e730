import { spanId, TRACES } from "./otlp-json.js";
import { encodeTraces, type PlainSpan } from "./protobuf-writer.js";
import type { Post } from "./send.js";

export const HUGE_TRACE_SPANS = 50_000;

/** One trace of 50,000 spans: a chain 300 deep, and below its root repeats, in bodies of 5,000. */
export function hugeTrace(nowMs: number): Post[] {
  const startNs = BigInt(nowMs - 20_000) * 1_000_000n;
  const spans: PlainSpan[] = Array.from({ length: HUGE_TRACE_SPANS }, (_, index) => {
    const isChain = index < 300;
    const fromNs = startNs + BigInt(index) * 300_000n;
    const isQuery = !isChain && index % 5 !== 0;
    return {
      traceId: TRACES.huge,
      spanId: spanId(index + 1),
      parentSpanId:
        index === 0 ? undefined : isChain ? spanId(index) : isQuery ? spanId(index - (index % 5) + 1) : spanId(1),
      name: index === 0 ? "GET /huge" : isQuery ? "SELECT items" : `step ${index}`,
      kind: index === 0 ? 2 : isQuery ? 3 : 1,
      startNs: fromNs,
      endNs: index === 0 ? startNs + 20_000_000_000n : fromNs + 250_000n,
      attributes: isQuery
        ? {
            "db.system.name": "postgresql",
            "db.query.text": "SELECT * FROM items WHERE id = ?",
            "db.query.summary": "SELECT items",
          }
        : index === 0
          ? { "http.request.method": "GET", "http.route": "/huge", "http.response.status_code": 200 }
          : {},
    };
  });
  return Array.from({ length: HUGE_TRACE_SPANS / 5_000 }, (_, part) => ({
    what: `part ${part} of a huge trace`,
    path: "/v1/traces",
    type: "application/x-protobuf",
    body: encodeTraces("huge", spans.slice(part * 5_000, (part + 1) * 5_000)),
  }));
}

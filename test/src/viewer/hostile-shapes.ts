import { hostileText } from "./hostile-text.js";
import { oddMetrics } from "./odd-metrics.js";
import { attributes, type Json, ns, spanId, TRACES } from "./otlp-json.js";
import { json, type Post } from "./send.js";

/** Traces that are no trees, times that are none, and values that are no numbers. */
export function hostileShapes(nowMs: number): Post[] {
  const span = (
    trace: string,
    number: number,
    parent: number,
    from = nowMs - 1000 + number,
    to = from + 10,
    more: Json = {},
  ): Json => ({
    traceId: trace,
    spanId: spanId(number),
    parentSpanId: parent === 0 ? "" : spanId(parent),
    name: `span ${number}`,
    kind: parent === 0 ? 2 : 1,
    startTimeUnixNano: ns(from),
    endTimeUnixNano: ns(to),
    ...more,
  });
  const day = 86_400_000;
  const shapes = [
    span(TRACES.shapes, 1, 0, nowMs - 1000, nowMs),
    // A circle of three, one that is its own parent, orphans, and one id for four spans.
    span(TRACES.shapes, 2, 4),
    span(TRACES.shapes, 3, 2),
    span(TRACES.shapes, 4, 3),
    span(TRACES.shapes, 5, 5),
    span(TRACES.shapes, 6, 4242),
    span(TRACES.shapes, 7, 4242),
    span(TRACES.shapes, 8, 7),
    span(TRACES.shapes, 9, 1),
    span(TRACES.shapes, 9, 9),
    span(TRACES.shapes, 9, 8),
    span(TRACES.shapes, 9, 0),
    span(TRACES.shapes, 10, 9),
    span(TRACES.shapes, 1, 10),
    // Ids that are none.
    ...["", "0", "xyz", "0".repeat(32), "g".repeat(32), "A".repeat(32), "../../etc/passwd", "a".repeat(3_000)].flatMap(
      (trace) => [span(trace, 1, 0), { ...span(TRACES.shapes, 11, 0), spanId: trace, parentSpanId: trace }],
    ),
  ];
  const times = [
    span(TRACES.times, 1, 0, nowMs - 1000, nowMs),
    span(TRACES.times, 2, 1, nowMs - 3 * day, nowMs - 3 * day + 500),
    span(TRACES.times, 3, 1, nowMs + 3 * day, nowMs + 3 * day + 500),
    span(TRACES.times, 4, 1, nowMs - 500, nowMs - 500),
    span(TRACES.times, 5, 1, nowMs - 500, nowMs - 900),
    span(TRACES.times, 6, 1, 0, 0),
    span(TRACES.times, 7, 1, 1, nowMs),
    span(TRACES.times, 8, 1, 4_102_444_800_000, 4_102_444_801_000),
    span(TRACES.times, 9, 1, nowMs, nowMs, {
      startTimeUnixNano: "18446744073709551615",
      endTimeUnixNano: "18446744073709551615",
    }),
    // Roots of their own in 1970 and 2100: lists by time hold them as well.
    span("a6".repeat(16), 1, 0, 0, 5),
    span("a7".repeat(16), 1, 0, 4_102_444_800_000, 4_102_444_800_005),
    span("a8".repeat(16), 1, 0, nowMs, nowMs + 30 * day),
  ];
  const resource = { attributes: attributes({ "service.name": "shapes" }) };
  const traces = (what: string, spans: readonly Json[]): Post =>
    json("/v1/traces", what, { resourceSpans: [{ resource, scopeSpans: [{ spans }] }] });
  return [
    traces("shapes", shapes),
    traces("times", times),
    traces("times that are none", [
      span(TRACES.times, 10, 1, nowMs, nowMs, {
        startTimeUnixNano: "-1",
        endTimeUnixNano: "99999999999999999999999999",
      }),
      span(TRACES.times, 11, 1, nowMs, nowMs, { startTimeUnixNano: "soon", endTimeUnixNano: {} }),
    ]),
    traces("large", [
      span(TRACES.large, 1, 0, nowMs - 1000, nowMs, {
        attributes: attributes({
          "http.request.method": "GET",
          "http.route": `/${"long/".repeat(20_000)}`,
          "db.system.name": "x".repeat(100_000),
          "db.query.text": `SELECT ${"1 + ".repeat(200_000)}1`,
        }),
      }),
      span(TRACES.large, 2, 1, nowMs - 900, nowMs, { name: "n".repeat(1_000_000) }),
      span(TRACES.large, 3, 1, nowMs - 900, nowMs, { attributes: attributes({ large: "x".repeat(10_000_000) }) }),
      span(TRACES.large, 4, 1, nowMs - 900, nowMs, { attributes: attributes({ deep: nested(20) }) }),
      span(TRACES.large, 5, 1, nowMs - 900, nowMs, {
        attributes: attributes(
          Object.fromEntries(Array.from({ length: 10_000 }, (_, index) => [`attribute ${index}`, index])),
        ),
      }),
      span(TRACES.large, 6, 1, nowMs - 900, nowMs, {
        events: Array.from({ length: 5_000 }, (_, index) => ({
          name: `event ${index}`,
          timeUnixNano: ns(nowMs - 900 + index / 10),
        })),
      }),
      span(TRACES.large, 7, 1, nowMs - 900, nowMs, {
        links: Array.from({ length: 5_000 }, () => ({ traceId: TRACES.shapes, spanId: spanId(1) })),
      }),
    ]),
    ...oddMetrics(nowMs),
  ];
}

function nested(depth: number): unknown {
  let value: unknown = hostileText("at the bottom");
  for (let level = 0; level < depth; level++) value = level % 2 === 0 ? [value] : { inner: value };
  return value;
}

import { randomBytes } from "node:crypto";
import { gzipSync } from "node:zlib";
import { type Json, ns } from "./otlp-json.js";
import { field, keyValue, varint } from "./protobuf-writer.js";
import type { Post } from "./send.js";
import { json } from "./send.js";

/** Bodies that are no OTLP, or are too much of it: each is to be refused with a 4xx, or read as far as it can be, and harm nothing. */
export function brokenPosts(): Post[] {
  const wholeTrace = field(1, [field(2, [field(2, [field(5, "cut off"), field(1, Buffer.alloc(16, 7))])])]);
  const protobuf = (what: string, body: Uint8Array, more: Partial<Post> = {}): Post => ({
    what,
    path: "/v1/traces",
    type: "application/x-protobuf",
    body,
    ...more,
  });
  const text = (what: string, body: string, path = "/v1/traces"): Post => ({
    what,
    path,
    type: "application/json",
    body: Buffer.from(body),
  });
  return [
    protobuf("nothing", Buffer.alloc(0)),
    protobuf("noise", randomBytes(5_000)),
    ...[1, 3, 8, 20].map((left) => protobuf(`cut off ${left} bytes early`, wholeTrace.subarray(0, -left))),
    protobuf("a length beyond the end", Buffer.concat([varint(10), varint(2 ** 40)])),
    protobuf("a varint without end", Buffer.alloc(64, 0xff)),
    protobuf("groups, which are no more", Buffer.from([0x0b, 0x0c, 0x13, 0x14])),
    protobuf("values in values", nestedValue(50_000)),
    protobuf(
      "a text that is no UTF-8",
      field(1, [field(2, [field(2, [field(5, Buffer.from([0xff, 0xfe, 0xc0, 0x80]))])])]),
    ),
    protobuf("not gzip, and said to be", randomBytes(500), { encoding: "gzip" }),
    protobuf("gzip, cut off", gzipSync(wholeTrace).subarray(0, 12), { encoding: "gzip" }),
    // A tenth of a megabyte that would be a hundred.
    protobuf("a bomb of gzip", gzipSync(Buffer.alloc(100_000_000)), { encoding: "gzip" }),
    protobuf("an encoding nobody knows", wholeTrace, { encoding: "compress" }),
    protobuf("a type nobody knows", wholeTrace, { type: "text/html" }),
    protobuf("protobuf said to be JSON", wholeTrace, { type: "application/json" }),
    text("no JSON", "{"),
    text("null", "null"),
    text("a list", "[]"),
    text("a number", "7"),
    text("a text", '"resourceSpans"'),
    text("lists in lists", "[".repeat(200_000) + "]".repeat(200_000)),
    text("JSON values in values", nestedJson(20_000)),
    text(
      "a prototype",
      '{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}},"resourceSpans":[]}',
    ),
    text("spans that are none", '{"resourceSpans":[{"scopeSpans":[null,7,{"spans":[null,7,"x",[],{}]}]}]}'),
    text(
      "metrics that are none",
      '{"resourceMetrics":[null,7,{"scopeMetrics":[null,{"metrics":[null,{},{"gauge":7}]}]}]}',
      "/v1/metrics",
    ),
    text("logs that are none", '{"resourceLogs":[null,7,{"scopeLogs":[null,{"logRecords":[null,7,{}]}]}]}', "/v1/logs"),
    ...wrongTypes(),
  ];
}

/** Every field of a span, a point and a log record as every kind of JSON there is, one wrong one in each body. */
function wrongTypes(): Post[] {
  const wrong = [null, true, -1, 1e308, "", "x", [], [[]], {}, { values: 7 }];
  const span =
    "traceId spanId parentSpanId traceState name kind startTimeUnixNano endTimeUnixNano attributes events links status";
  const log = "timeUnixNano observedTimeUnixNano severityNumber severityText eventName body attributes traceId spanId";
  const point =
    "timeUnixNano asDouble asInt attributes exemplars count sum bucketCounts explicitBounds min quantileValues";
  const each = (names: string, wrap: (one: Json) => Json): Json[] =>
    names.split(" ").flatMap((name) => wrong.map((value) => wrap({ [name]: value })));
  const good = {
    traceId: "0c".repeat(16),
    spanId: "0c".repeat(8),
    name: "wrong types",
    startTimeUnixNano: ns(Date.now()),
  };
  const kinds = ["gauge", "sum", "histogram", "exponentialHistogram", "summary"];
  const traces = (...resourceSpans: unknown[]): Json => ({ resourceSpans });
  return [
    ...each(span, (one) => traces({ scopeSpans: [{ spans: [{ ...good, ...one }] }] })),
    ...each("resource scopeSpans", (one) => traces(one)),
    ...each("scope spans", (one) => traces({ scopeSpans: [one] })),
    ...each("attributes", (one) => traces({ resource: one, scopeSpans: [{ spans: [good] }] })),
    ...each(log, (one) => ({ resourceLogs: [{ scopeLogs: [{ logRecords: [one] }] }] })),
    ...kinds.flatMap((kind) =>
      each(point, (one) => {
        const metrics = [{ name: `wrong.${kind}`, [kind]: { dataPoints: [{ timeUnixNano: ns(Date.now()), ...one }] } }];
        return { resourceMetrics: [{ scopeMetrics: [{ metrics }] }] };
      }),
    ),
  ].map((body) => {
    const path = "resourceSpans" in body ? "/v1/traces" : "resourceLogs" in body ? "/v1/logs" : "/v1/metrics";
    return json(path, `a wrong type: ${JSON.stringify(body)}`, body);
  });
}

function nestedValue(depth: number): Uint8Array {
  // Inside out, with the lengths counted first: each level is an AnyValue with an array of one.
  const heads: Uint8Array[] = [];
  let length = 0;
  for (let level = 0; level < depth; level++) {
    const array = Buffer.concat([varint((1 << 3) | 2), varint(length)]);
    const value = Buffer.concat([varint((5 << 3) | 2), varint(array.length + length)]);
    heads.push(array, value);
    length += array.length + value.length;
  }
  const value = Buffer.concat(heads.reverse());
  const attribute = field(9, [field(1, "deep"), field(2, value)]);
  const ids = [field(1, Buffer.alloc(16, 13)), field(2, Buffer.alloc(8, 13)), field(5, "values in values")];
  return field(1, [field(1, [keyValue(1, "service.name", "deep")]), field(2, [field(2, [...ids, attribute])])]);
}

function nestedJson(depth: number): string {
  const value = `${'{"arrayValue":{"values":['.repeat(depth)}${"]}}".repeat(depth)}`;
  const ids = `"traceId":"${"0d".repeat(16)}","spanId":"${"0d".repeat(8)}","name":"values in values"`;
  return `{"resourceSpans":[{"scopeSpans":[{"spans":[{${ids},"attributes":[{"key":"deep","value":${value}}]}]}]}]}`;
}

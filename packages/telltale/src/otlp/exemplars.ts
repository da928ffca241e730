import type { Exemplar } from "@telltale/metrics";
import type { HrTime } from "@opentelemetry/api";
import { DataPointType, type ResourceMetrics } from "@opentelemetry/sdk-metrics";

// OpenTelemetry's own serializers leave exemplars out; these add them to what those have written. Fields are numbered in
// https://github.com/open-telemetry/opentelemetry-proto (metrics/v1/metrics.proto).

/** Of the metrics that have exemplars. */
const KINDS = [
  // From a request to the points: resource_metrics, scope_metrics, metrics, sum or histogram, data_points.
  { type: DataPointType.SUM, name: "sum", path: [1, 2, 2, 7, 1], exemplars: 5 },
  { type: DataPointType.HISTOGRAM, name: "histogram", path: [1, 2, 2, 9, 1], exemplars: 8 },
] as const;

/** An ExportMetricsServiceRequest in protobuf, with the exemplars of what it was made of. */
export function addExemplars(request: Uint8Array, metrics: ResourceMetrics): Uint8Array {
  let bytes = Buffer.from(request.buffer, request.byteOffset, request.byteLength);
  for (const { type, path, exemplars } of KINDS) {
    const all = exemplarsOf(metrics, type);
    if (all.every((list) => list.length === 0)) continue;
    const lists = all.values();
    const more = () => (lists.next().value ?? []).map((exemplar) => field(exemplars, encode(exemplar)));
    bytes = extend(bytes, path, more);
  }
  return bytes;
}

interface JsonPoints {
  readonly dataPoints: readonly { exemplars?: unknown[] }[];
}
interface JsonRequest {
  readonly resourceMetrics: readonly {
    readonly scopeMetrics: readonly {
      readonly metrics: readonly { readonly sum?: JsonPoints; readonly histogram?: JsonPoints }[];
    }[];
  }[];
}

/** The same in JSON. */
export function addJsonExemplars(request: Uint8Array, metrics: ResourceMetrics): Uint8Array {
  const json = JSON.parse(Buffer.from(request).toString()) as JsonRequest;
  const all = json.resourceMetrics.flatMap(({ scopeMetrics }) => scopeMetrics.flatMap((scope) => scope.metrics));
  for (const { type, name } of KINDS) {
    const lists = exemplarsOf(metrics, type).values();
    for (const point of all.flatMap((metric) => metric[name]?.dataPoints ?? [])) {
      const exemplars = lists.next().value ?? [];
      if (exemplars.length === 0) continue;
      point.exemplars = exemplars.map(({ value, timestamp, traceId, spanId }) => ({
        timeUnixNano: String(nanosOf(timestamp)),
        asDouble: value,
        traceId,
        spanId,
      }));
    }
  }
  return Buffer.from(JSON.stringify(json));
}

/** Of all points of such metrics, in the order in which they are written. */
function exemplarsOf({ scopeMetrics }: ResourceMetrics, type: DataPointType): (readonly Exemplar[])[] {
  const all = scopeMetrics.flatMap(({ metrics }) => metrics.filter(({ dataPointType }) => dataPointType === type));
  return all.flatMap(({ dataPoints }) =>
    dataPoints.map((point) => (point as { readonly exemplars?: readonly Exemplar[] }).exemplars ?? []),
  );
}

/** A message with `more` at the end of each message at the end of `path`, one after the other; itself where there is none. */
function extend(message: Buffer, path: readonly number[], more: () => readonly Buffer[]): Buffer {
  const [wanted, ...deeper] = path;
  if (wanted === undefined) {
    const added = more();
    return added.length === 0 ? message : Buffer.concat([message, ...added]);
  }
  const parts: Buffer[] = [];
  /** Up to here it is in `parts`. */
  let kept = 0;
  let at = 0;
  while (at < message.length) {
    const begin = at;
    const tag = readVarint();
    const length = sizeOf(tag & 7);
    at += length;
    if (tag >>> 3 !== wanted) continue;
    const inner = message.subarray(at - length, at);
    const extended = extend(inner, deeper, more);
    if (extended === inner) continue;
    parts.push(message.subarray(kept, begin), field(wanted, extended));
    kept = at;
  }
  return kept === 0 ? message : Buffer.concat([...parts, message.subarray(kept)]);

  function sizeOf(wireType: number): number {
    if (wireType === 2) return readVarint();
    if (wireType === 1) return 8;
    if (wireType === 5) return 4;
    readVarint();
    return 0;
  }
  function readVarint(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = message.readUInt8(at++);
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  }
}

function encode({ value, timestamp, spanId, traceId }: Exemplar): Buffer {
  const head = Buffer.alloc(18);
  head[0] = (2 << 3) | 1;
  head.writeBigUInt64LE(nanosOf(timestamp), 1);
  head[9] = (3 << 3) | 1;
  head.writeDoubleLE(value, 10);
  return Buffer.concat([head, field(4, Buffer.from(spanId, "hex")), field(5, Buffer.from(traceId, "hex"))]);
}

function nanosOf([seconds, nanos]: HrTime): bigint {
  return BigInt(seconds) * 1_000_000_000n + BigInt(nanos);
}

function field(number: number, bytes: Buffer): Buffer {
  const head = [(number << 3) | 2];
  let length = bytes.length;
  for (; length > 127; length = Math.floor(length / 128)) head.push((length % 128) | 128);
  return Buffer.concat([Buffer.from([...head, length]), bytes]);
}

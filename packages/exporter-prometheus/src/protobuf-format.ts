import type { ExponentialHistogram } from "@opentelemetry/sdk-metrics";
import type { Slices } from "@telltale/core";
import { type Exemplar, lastExemplar, placeExemplars } from "./exemplars.js";
import { downscale } from "./exponential.js";
import { type Family, fixed, type Point, showsUnit, sumGrows } from "./families.js";
import type { LabelSyntax } from "./labels.js";
import type { PageLimit } from "./page-limit.js";
import { PageWriter } from "./page-writer.js";
import {
  BYTES,
  tag,
  VARINT,
  writeCount,
  writeDouble,
  writeLabel,
  writeSigned,
  writeText,
  writeTime,
} from "./protobuf-fields.js";

// The messages of io.prometheus.client, fields by their numbers:
// https://github.com/prometheus/client_model/blob/v0.6.2/io/prometheus/client/metrics.proto

/** A LabelPair as a field of its message, one character for each byte. */
export const PROTOBUF_LABELS: LabelSyntax = {
  separator: "",
  write(name, value) {
    const pair = new PageWriter(32 + 3 * (name.length + value.length));
    pair.byte(tag(1, BYTES));
    const start = pair.open();
    writeText(pair, 1, name);
    writeText(pair, 2, value);
    pair.close(start);
    return Buffer.concat(pair.take(true)).toString("latin1");
  },
};

/** Families as delimited protobuf messages, each of them in one piece because its length comes first. */
export async function* formatProtobuf(
  families: readonly Family[],
  limit: PageLimit,
  slices: Slices,
): AsyncGenerator<Buffer> {
  const writer = new PageWriter();
  const parts = new Parts();
  for (const family of families) {
    let left = family.series.size;
    if (writer.size < limit.bytes) {
      const isNative = isNativeFamily(family);
      for (const [labels, point] of family.series) {
        if (slices.over) await slices.rest();
        if (writer.size >= limit.bytes) break;
        writeMetric(writer, family, labels, point, isNative);
        left--;
      }
      const metrics = writer.take(true);
      writeHead(
        writer,
        family,
        metrics.reduce((bytes, { length }) => bytes + length, 0),
      );
      for (const part of [...writer.take(true), ...metrics]) yield* parts.add(part);
    }
    if (left > 0) limit.cut(family, left);
  }
  yield* parts.take();
}

/** Small parts of a page as fewer larger ones: each is a write of its own. */
class Parts {
  private held: Buffer[] = [];
  private bytes = 0;

  *add(part: Buffer): Generator<Buffer> {
    this.held.push(part);
    this.bytes += part.length;
    if (this.bytes >= 32_768) yield* this.take();
  }

  *take(): Generator<Buffer> {
    if (this.bytes > 0) yield Buffer.concat(this.held, this.bytes);
    this.held = [];
    this.bytes = 0;
  }
}

const TYPES = { counter: 0, gauge: 1, info: 1, histogram: 4 };

function writeHead(writer: PageWriter, { name, help, type, unit }: Family, bytesOfMetrics: number): void {
  const shown = showsUnit(name.replace(/_total$/, ""), unit) ? unit : "";
  writer.reserve(32 + 3 * (name.length + help.length + shown.length));
  const start = writer.open();
  writeText(writer, 1, name);
  if (help !== "") writeText(writer, 2, help);
  writer.byte(tag(3, VARINT));
  writer.byte(TYPES[type]);
  if (shown !== "") writeText(writer, 5, shown);
  writer.close(start, bytesOfMetrics);
}

/** The gauge, counter or histogram of a Metric. */
const FIELDS = { gauge: 2, info: 2, counter: 3, histogram: 7 };

function writeMetric(writer: PageWriter, { type }: Family, labels: string, point: Point, isNative: boolean): void {
  const { value } = point;
  const buckets = typeof value === "number" ? 0 : bucketsOf(value);
  writer.reserve(labels.length + 300 + 130 * buckets);
  writer.byte(tag(4, BYTES));
  const start = writer.open();
  writer.latin1(labels);
  writer.byte(tag(FIELDS[type], BYTES));
  const startOfValue = writer.open();
  if (typeof value === "number") {
    writeDouble(writer, 1, value);
    if (type === "counter") {
      const exemplar = lastExemplar(point.exemplars);
      if (exemplar !== undefined) writeExemplar(writer, 2, exemplar);
      writeTime(writer, 3, point.startTime);
    }
  } else {
    writeHistogram(writer, point, value, isNative);
  }
  writer.close(startOfValue);
  writer.close(start);
}

function bucketsOf(value: Exclude<Point["value"], number>): number {
  if ("buckets" in value) return value.buckets.boundaries.length;
  return 2 * (value.positive.bucketCounts.length + value.negative.bucketCounts.length);
}

/** Classic buckets, and those of a native histogram beside them: whoever has them switched off reads the others. */
function writeHistogram(
  writer: PageWriter,
  { exemplars, startTime }: Point,
  value: Exclude<Point["value"], number>,
  isNative: boolean,
): void {
  const histogram = fixed(value);
  const native = isNative && "scale" in value ? downscale(value, Math.min(value.scale, MAX_SCALE)) : undefined;
  const { boundaries, counts } = histogram.buckets;
  const sum = value.sum ?? Number.NaN;
  writeCount(writer, 1, histogram.count);
  if (native !== undefined || (sum >= 0 && sumGrows(boundaries))) writeDouble(writer, 2, sum);
  const placed = placeExemplars(exemplars, boundaries);
  let below = 0;
  for (let n = 0; n <= boundaries.length; n++) {
    const bound = boundaries[n] ?? Infinity;
    below = n === boundaries.length ? histogram.count : below + (counts[n] ?? 0);
    if (n < boundaries.length && (bound === boundaries[n + 1] || bound === Infinity)) continue;
    writer.byte(tag(3, BYTES));
    const start = writer.open();
    writeCount(writer, 1, below);
    writeDouble(writer, 2, bound);
    const exemplar = placed?.[n];
    if (exemplar !== undefined) writeExemplar(writer, 3, exemplar);
    writer.close(start);
  }
  if (native !== undefined) writeNative(writer, native);
  writeTime(writer, 15, startTime);
}

/** Scales that Prometheus has. */
const MAX_SCALE = 8;
const MIN_SCALE = -4;
/** What the OpenTelemetry specification has for histograms that do not tell theirs; it also tells a native histogram from others. */
const ZERO_THRESHOLD = 1e-128;

/** Prometheus takes the series of a family for what its first one is. */
function isNativeFamily({ series }: Family): boolean {
  for (const { value } of series.values()) {
    if (typeof value === "number" || !("scale" in value) || value.scale < MIN_SCALE) return false;
  }
  return true;
}

function writeNative(writer: PageWriter, { scale, zeroCount, positive, negative }: ExponentialHistogram): void {
  writer.byte(tag(5, VARINT));
  writeSigned(writer, scale);
  writeDouble(writer, 6, ZERO_THRESHOLD);
  writeCount(writer, 7, zeroCount);
  writeBuckets(writer, 9, negative);
  writeBuckets(writer, 12, positive);
}

/** One span of buckets, and how each differs from the one before. Prometheus numbers a bucket by its upper bound: one more. */
function writeBuckets(
  writer: PageWriter,
  field: number,
  { offset, bucketCounts }: ExponentialHistogram["positive"],
): void {
  const first = bucketCounts.findIndex((held) => held > 0);
  if (first === -1) return;
  const counts = bucketCounts.slice(first, bucketCounts.findLastIndex((held) => held > 0) + 1);
  writer.byte(tag(field, BYTES));
  const startOfSpan = writer.open();
  writer.byte(tag(1, VARINT));
  writeSigned(writer, offset + first + 1);
  writer.byte(tag(2, VARINT));
  writer.varint(counts.length);
  writer.close(startOfSpan);
  writer.byte(tag(field + 1, BYTES));
  const startOfDeltas = writer.open();
  for (const [n, held] of counts.entries()) writeSigned(writer, held - (counts[n - 1] ?? 0));
  writer.close(startOfDeltas);
}

function writeExemplar(writer: PageWriter, field: number, { value, timestamp, traceId, spanId }: Exemplar): void {
  writer.byte(tag(field, BYTES));
  const start = writer.open();
  writeLabel(writer, "trace_id", traceId);
  writeLabel(writer, "span_id", spanId);
  writeDouble(writer, 2, value);
  writeTime(writer, 3, timestamp);
  writer.close(start);
}

import { type HrTime, SpanKind, SpanStatusCode, ValueType } from "@opentelemetry/api";
import {
  JsonLogsSerializer,
  JsonMetricsSerializer,
  JsonTraceSerializer,
  ProtobufLogsSerializer,
  ProtobufMetricsSerializer,
  ProtobufTraceSerializer,
} from "@opentelemetry/otlp-transformer";
import { resourceFromAttributes } from "@opentelemetry/resources";
import type { ReadableLogRecord } from "@opentelemetry/sdk-logs";
import { AggregationTemporality, DataPointType, type ResourceMetrics } from "@opentelemetry/sdk-metrics";
import type { ReadableSpan } from "@opentelemetry/sdk-trace";
import {
  array,
  assert,
  boolean,
  constantFrom,
  double,
  integer,
  nat,
  option,
  property,
  record,
  string,
  tuple,
  uint8Array,
} from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeLogs, decodeMetrics, decodeTraces, parseLogs, parseMetrics, parseTraces } from "../src/index.js";
import { attributeSets, plain, readAttributes, readValue, texts } from "./plain-values.js";

// What OpenTelemetry's own serializers write is read as what went in, in both forms.

const FORMS = ["protobuf", "json"] as const;
const runs = { numRuns: 60 };

const times = tuple(integer({ min: 1, max: 5_000_000_000 }), integer({ min: 0, max: 999_999_999 }));
const nanos = ([seconds, rest]: HrTime) => BigInt(seconds) * 1_000_000_000n + BigInt(rest);
const ids = (bytes: number) =>
  uint8Array({ minLength: bytes, maxLength: bytes })
    .filter((id) => id.some((byte) => byte !== 0))
    .map((id) => Buffer.from(id).toString("hex"));
const contexts = record({ traceId: ids(16), spanId: ids(8), traceFlags: constantFrom(1) });
const resource = resourceFromAttributes({ "service.name": "shop" });
const scopes = record({ name: texts, version: constantFrom("1.2.3", "") });
const text = (bytes: Uint8Array | undefined) => Buffer.from(bytes ?? []).toString();

const spans = record({
  name: texts,
  kind: constantFrom(SpanKind.INTERNAL, SpanKind.SERVER, SpanKind.CLIENT, SpanKind.PRODUCER, SpanKind.CONSUMER),
  context: contexts,
  parent: option(contexts, { nil: undefined }),
  startTime: times,
  endTime: times,
  status: record({
    code: constantFrom(SpanStatusCode.UNSET, SpanStatusCode.OK, SpanStatusCode.ERROR),
    message: texts,
  }),
  attributes: attributeSets,
  links: array(record({ context: contexts, attributes: attributeSets }), { maxLength: 3 }),
  events: array(record({ name: texts, time: times, attributes: attributeSets }), { maxLength: 3 }),
  instrumentationScope: scopes,
});

describe.each(FORMS)("%s", (form) => {
  test("spans", () => {
    assert(
      property(spans, ({ context, parent, ...given }) => {
        const span = {
          ...given,
          spanContext: () => context,
          parentSpanContext: parent,
          resource,
          ended: true,
          duration: [0, 0],
          droppedAttributesCount: 0,
          droppedEventsCount: 0,
          droppedLinksCount: 0,
        } as unknown as ReadableSpan;
        const request =
          form === "json"
            ? parseTraces(text(JsonTraceSerializer.serializeRequest([span])))
            : decodeTraces(ProtobufTraceSerializer.serializeRequest([span]) ?? new Uint8Array());
        const [group] = request.resourceSpans ?? [];
        const [scoped] = group?.scopeSpans ?? [];
        const [read] = scoped?.spans ?? [];
        expect(readAttributes(group?.resource?.attributes)).toEqual(new Map([["service.name", "shop"]]));
        expect(scoped?.scope?.name ?? "").toBe(given.instrumentationScope.name.toWellFormed());
        expect({
          traceId: read?.traceId,
          spanId: read?.spanId,
          parentSpanId: read?.parentSpanId ?? "",
          name: read?.name ?? "",
          // From 1 on in OTLP, where 0 is none.
          kind: (read?.kind ?? 0) - 1,
          start: read?.startTimeUnixNano,
          end: read?.endTimeUnixNano,
          code: read?.status?.code ?? 0,
          message: read?.status?.message ?? "",
          attributes: readAttributes(read?.attributes),
          links: (read?.links ?? []).map((link) => [link.traceId, link.spanId, readAttributes(link.attributes)]),
          events: (read?.events ?? []).map((event) => [
            event.name ?? "",
            event.timeUnixNano,
            readAttributes(event.attributes),
          ]),
        }).toEqual({
          traceId: context.traceId,
          spanId: context.spanId,
          parentSpanId: parent?.spanId ?? "",
          name: given.name,
          kind: given.kind,
          start: nanos(given.startTime),
          end: nanos(given.endTime),
          code: given.status.code,
          message: given.status.message,
          attributes: plain(given.attributes),
          links: given.links.map((link) => [link.context.traceId, link.context.spanId, plain(link.attributes)]),
          events: given.events.map((event) => [event.name, nanos(event.time), plain(event.attributes)]),
        });
      }),
      runs,
    );
  });

  test("log records", () => {
    const records = record({
      hrTime: times,
      hrTimeObserved: times,
      spanContext: option(contexts, { nil: undefined }),
      severityText: texts,
      severityNumber: integer({ min: 1, max: 24 }),
      body: attributeSets,
      eventName: texts,
      attributes: attributeSets,
      instrumentationScope: scopes,
    });
    assert(
      property(records, (given) => {
        const log = { ...given, resource, droppedAttributesCount: 0 } as unknown as ReadableLogRecord;
        const request =
          form === "json"
            ? parseLogs(text(JsonLogsSerializer.serializeRequest([log])))
            : decodeLogs(ProtobufLogsSerializer.serializeRequest([log]) ?? new Uint8Array());
        const read = request.resourceLogs?.[0]?.scopeLogs?.[0]?.logRecords?.[0];
        expect([
          read?.timeUnixNano,
          read?.observedTimeUnixNano,
          read?.traceId ?? "",
          read?.spanId ?? "",
          read?.severityText ?? "",
          read?.severityNumber,
          readValue(read?.body),
          read?.eventName ?? "",
          readAttributes(read?.attributes),
        ]).toEqual([
          nanos(given.hrTime),
          nanos(given.hrTimeObserved),
          given.spanContext?.traceId ?? "",
          given.spanContext?.spanId ?? "",
          given.severityText,
          given.severityNumber,
          plain(given.body),
          given.eventName,
          plain(given.attributes),
        ]);
      }),
      runs,
    );
  });

  test("metrics", () => {
    const finite = double({ noNaN: true, noDefaultInfinity: true }).map((value) => (value === 0 ? 0 : value));
    const point = { startTime: times, endTime: times, attributes: attributeSets };
    const buckets = record({
      offset: integer({ min: -1_000, max: 1_000 }),
      bucketCounts: array(nat(), { maxLength: 9 }),
    });
    const metrics = record({
      name: string({ minLength: 1, maxLength: 20 }),
      isMonotonic: boolean(),
      temporality: constantFrom(AggregationTemporality.DELTA, AggregationTemporality.CUMULATIVE),
      sums: array(record({ ...point, value: finite }), { maxLength: 3 }),
      gauges: array(record({ ...point, value: integer() }), { maxLength: 3 }),
      histograms: array(
        record({
          ...point,
          value: record({
            buckets: record({ boundaries: array(finite, { maxLength: 9 }), counts: array(nat(), { maxLength: 9 }) }),
            sum: finite,
            count: nat(2 ** 40),
            min: finite,
            max: finite,
          }),
        }),
        { maxLength: 2 },
      ),
      exponentials: array(
        record({
          ...point,
          value: record({
            count: nat(),
            sum: finite,
            scale: integer({ min: -10, max: 20 }),
            zeroCount: nat(),
            positive: buckets,
            negative: buckets,
            min: finite,
            max: finite,
          }),
        }),
        { maxLength: 2 },
      ),
    });
    assert(
      property(metrics, ({ name, isMonotonic, temporality, sums, gauges, histograms, exponentials }) => {
        const about = (valueType: ValueType, dataPointType: DataPointType) => ({
          descriptor: { name, description: "what it is", unit: "s", valueType },
          aggregationTemporality: temporality,
          dataPointType,
        });
        const given = {
          resource,
          scopeMetrics: [
            {
              scope: { name: "scope" },
              metrics: [
                { ...about(ValueType.DOUBLE, DataPointType.SUM), isMonotonic, dataPoints: sums },
                { ...about(ValueType.INT, DataPointType.GAUGE), dataPoints: gauges },
                { ...about(ValueType.DOUBLE, DataPointType.HISTOGRAM), dataPoints: histograms },
                { ...about(ValueType.DOUBLE, DataPointType.EXPONENTIAL_HISTOGRAM), dataPoints: exponentials },
              ],
            },
          ],
        } as unknown as ResourceMetrics;
        const request =
          form === "json"
            ? parseMetrics(text(JsonMetricsSerializer.serializeRequest(given)))
            : decodeMetrics(ProtobufMetricsSerializer.serializeRequest(given) ?? new Uint8Array());
        const [sum, gauge, histogram, exponential] = request.resourceMetrics?.[0]?.scopeMetrics?.[0]?.metrics ?? [];
        // 1 delta, 2 cumulative; in the SDK 0 and 1.
        expect(sum?.sum?.aggregationTemporality).toBe(temporality + 1);
        expect([sum?.name, sum?.description, sum?.unit, sum?.sum?.isMonotonic ?? false]).toEqual([
          name,
          "what it is",
          "s",
          isMonotonic,
        ]);
        const common = (read: {
          readonly attributes?: Parameters<typeof readAttributes>[0];
          readonly startTimeUnixNano?: bigint;
          readonly timeUnixNano?: bigint;
        }) => [read.startTimeUnixNano, read.timeUnixNano, readAttributes(read.attributes)];
        const expected = (one: { startTime: HrTime; endTime: HrTime; attributes: object }) => [
          nanos(one.startTime),
          nanos(one.endTime),
          plain(one.attributes),
        ];
        const normal = (value: number | bigint | undefined) => Number(value ?? 0) + 0;
        expect((sum?.sum?.dataPoints ?? []).map((read) => [common(read), normal(read.asDouble)])).toEqual(
          sums.map((one) => [expected(one), one.value]),
        );
        expect((gauge?.gauge?.dataPoints ?? []).map((read) => [common(read), normal(read.asInt)])).toEqual(
          gauges.map((one) => [expected(one), one.value]),
        );
        expect(
          (histogram?.histogram?.dataPoints ?? []).map((read) => [
            common(read),
            read.bucketCounts ?? [],
            read.explicitBounds ?? [],
            [read.count, read.sum, read.min, read.max].map(normal),
          ]),
        ).toEqual(
          histograms.map((one) => {
            const { buckets: given, count, sum: total, min, max } = one.value;
            return [expected(one), given.counts, given.boundaries, [count, total, min, max]];
          }),
        );
        expect(
          (exponential?.exponentialHistogram?.dataPoints ?? []).map((read) => [
            common(read),
            [read.count, read.sum, read.scale, read.zeroCount, read.min, read.max].map(normal),
            [read.positive?.offset ?? 0, read.positive?.bucketCounts ?? []],
            [read.negative?.offset ?? 0, read.negative?.bucketCounts ?? []],
          ]),
        ).toEqual(
          exponentials.map((one) => {
            const { count, sum: total, scale, zeroCount, min, max, positive, negative } = one.value;
            const bounds = [count, total, scale, zeroCount, min, max];
            return [
              expected(one),
              bounds,
              [positive.offset, positive.bucketCounts],
              [negative.offset, negative.bucketCounts],
            ];
          }),
        );
      }),
      runs,
    );
  });
});

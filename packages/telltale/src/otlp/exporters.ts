import { createRequire } from "node:module";
import { context } from "@opentelemetry/api";
import { type ExportResult, ExportResultCode, suppressTracing } from "@opentelemetry/core";
import type { PushMetricExporter, ResourceMetrics } from "@opentelemetry/sdk-metrics";
import type { SpanExporter } from "@opentelemetry/sdk-trace";
import { say, VERSION } from "@telltale/core";
import type { SpanDelivery } from "@telltale/tracing";
import type { SignalOptions } from "../config/options.js";
import { addExemplars, addJsonExemplars } from "./exemplars.js";
import { readPartialSuccess, readPartialSuccessJson } from "./partial-success.js";
import { createSender, type Delivery, type Sender } from "./sender.js";
import type { Delivered } from "./span-queue.js";

type Signal = "traces" | "metrics";

const require = createRequire(import.meta.url);
const DEFAULT_URL = "http://localhost:4318";
/** Default time for a delivery with its retries. */
export const OTLP_TIMEOUT_MS = 10_000;

/** Where a signal goes, for the start-up line: no credentials, no query, and no path that is as usual. */
export function destinationOf(options: SignalOptions, signal: Signal): string {
  return addressOf(options, signal).replace(new RegExp(`/v1/${signal}$`), "");
}

/** The same with its path, for when that may be wrong. */
export function addressOf({ url, endpoint, protocol }: SignalOptions, signal: Signal): string {
  const isGrpc = protocol === "grpc";
  const usual = isGrpc ? "http://localhost:4317" : `${DEFAULT_URL}/v1/${signal}`;
  const { protocol: scheme, host, pathname } = new URL(url ?? endpoint ?? usual);
  return `${scheme}//${host}${isGrpc ? "" : pathname.replace(/\/$/, "")}`;
}

/** What the end of the process asks of an exporter; the SDK's own know nothing of it. */
export interface EndableExporter {
  /** Gives up what it would try again. */
  hurry?(): () => void;
  /** Whether the last delivery succeeded; undefined before the first one has ended. */
  delivering?(): boolean | undefined;
}

/** The exporter of traces, by protocol. Serializers and gRPC load only when they are chosen. */
export function createTraceExporter(options: SignalOptions): SpanExporter & EndableExporter {
  if (options.protocol === "grpc") {
    const name = "@opentelemetry/exporter-trace-otlp-grpc";
    const { OTLPTraceExporter } = require(name) as { OTLPTraceExporter: new (config: object) => SpanExporter };
    return reporting("traces", options, new OTLPTraceExporter(grpcConfig(options, name)));
  }
  const { JsonTraceSerializer, ProtobufTraceSerializer } =
    require("@opentelemetry/otlp-transformer") as typeof import("@opentelemetry/otlp-transformer");
  const serializer = options.protocol === "http/json" ? JsonTraceSerializer : ProtobufTraceSerializer;
  return createHttpExporter("traces", options, (spans) => serializer.serializeRequest(spans));
}

/** Delivers encoded spans over http/protobuf. */
export function createSpanDelivery(options: SignalOptions): {
  deliver(request: Uint8Array): Promise<SpanDelivery>;
  hurry(): () => void;
} {
  const sender = createSignalSender("traces", options);
  return {
    async deliver(request) {
      const delivery = await context.with(suppressTracing(context.active()), () => sender.send(request));
      return { ok: delivery.ok, rejected: report("traces", options, delivery) };
    },
    hurry: sender.hurry,
  };
}

/** The exporter of `OTEL_TRACES_EXPORTER=zipkin`. */
export function createZipkinExporter(): SpanExporter & EndableExporter {
  const { ZipkinExporter } = require("@opentelemetry/exporter-zipkin") as { ZipkinExporter: new () => SpanExporter };
  return new ZipkinExporter();
}

/** The exporter of metrics, by protocol. */
export function createMetricExporter(options: SignalOptions): PushMetricExporter & EndableExporter {
  if (options.protocol === "grpc") {
    const name = "@opentelemetry/exporter-metrics-otlp-grpc";
    const { OTLPMetricExporter } = require(name) as { OTLPMetricExporter: new (config: object) => PushMetricExporter };
    return reporting("metrics", options, new OTLPMetricExporter(grpcConfig(options, name)));
  }
  const { JsonMetricsSerializer, ProtobufMetricsSerializer } =
    require("@opentelemetry/otlp-transformer") as typeof import("@opentelemetry/otlp-transformer");
  const [serializer, complete] =
    options.protocol === "http/json"
      ? [JsonMetricsSerializer, addJsonExemplars]
      : [ProtobufMetricsSerializer, addExemplars];
  const exporter = createHttpExporter("metrics", options, (metrics: ResourceMetrics) => {
    const request = serializer.serializeRequest(metrics);
    return request === undefined ? undefined : complete(request, metrics);
  });
  return {
    ...exporter,
    // The SDK's reader waits with a timer that holds the process open. So it hears at once that all is well, and a flush is what waits; a
    // delivery that fails is told by `report`.
    export(metrics, done) {
      exporter.export(metrics, () => {});
      done({ code: ExportResultCode.SUCCESS });
    },
  };
}

/** The SDK's exporters keep what becomes of a delivery to themselves. */
function reporting<Exporter extends SpanExporter | PushMetricExporter>(
  signal: Signal,
  options: SignalOptions,
  exporter: Exporter,
): Exporter {
  const send = exporter.export.bind(exporter) as (items: unknown, done: (result: ExportResult) => void) => void;
  exporter.export = (items: unknown, done: (result: ExportResult) => void) =>
    send(items, (result) => {
      if (result.code !== ExportResultCode.SUCCESS) {
        report(signal, options, { ok: false, reason: result.error?.message ?? "no reason given" });
      }
      done(result);
    });
  return exporter;
}

function createHttpExporter<T>(
  signal: Signal,
  options: SignalOptions,
  serialize: (items: T) => Uint8Array | undefined,
) {
  const sender = createSignalSender(signal, options);
  const pending = new Set<Promise<void>>();
  let delivering: boolean | undefined;
  return {
    export(items: T, done: (result: Delivered) => void): void {
      const payload = serialize(items);
      const delivered =
        payload === undefined
          ? Promise.resolve<Delivery>({ ok: false, reason: "could not be encoded" })
          : context.with(suppressTracing(context.active()), () => sender.send(payload));
      const settled = delivered.then((delivery) => {
        pending.delete(settled);
        delivering = delivery.ok;
        const rejected = report(signal, options, delivery);
        done(
          delivery.ok
            ? { code: ExportResultCode.SUCCESS, ...(rejected > 0 && { rejected }) }
            : { code: ExportResultCode.FAILED, error: new Error(delivery.reason) },
        );
      });
      pending.add(settled);
    },
    hurry: sender.hurry,
    delivering: () => delivering,
    async forceFlush(): Promise<void> {
      await Promise.all(pending);
    },
    async shutdown(): Promise<void> {
      await Promise.all(pending);
    },
  };
}

function createSignalSender(signal: Signal, options: SignalOptions): Sender {
  return createSender({
    url: options.url ?? `${DEFAULT_URL}/v1/${signal}`,
    headers: options.headers ?? {},
    contentType: options.protocol === "http/json" ? "application/json" : "application/x-protobuf",
    gzip: options.compression === "gzip",
    timeoutMs: options.timeoutMs ?? OTLP_TIMEOUT_MS,
    tls: { ca: options.caFile, cert: options.certFile, key: options.keyFile },
    userAgent: `telltale/${VERSION}`,
  });
}

const MAX_MESSAGE = 200;

/**
 * The first failure is one line, and so is the first time that some of what was sent is refused; after that there is silence until `debug`
 * asks. Returns how much was refused of what was taken.
 */
function report(signal: Signal, options: SignalOptions, delivery: Delivery): number {
  if (!delivery.ok) {
    const off = `OTEL_${signal.toUpperCase()}_EXPORTER=none turns this off`;
    sayFirst(
      `${signal} failed`,
      `cannot deliver ${signal} to ${addressOf(options, signal)} (${delivery.reason}); still trying, without another word; ${off}`,
    );
    say("debug", `${signal} not delivered: ${delivery.reason}`);
    return 0;
  }
  const read = options.protocol === "http/json" ? readPartialSuccessJson : readPartialSuccess;
  const { rejected, message } = read(delivery.answer);
  if (rejected > 0) {
    const what = signal === "traces" ? "spans" : "data points";
    const line = `${destinationOf(options, signal)} refused ${rejected} ${what} of a request that it took: ${message.slice(0, MAX_MESSAGE)}`;
    sayFirst(`${signal} refused`, line);
    say("debug", line);
  }
  return rejected;
}

const said = new Set<string>();

/** Says the first line of a kind; later ones may differ and are not said. */
function sayFirst(kind: string, line: string): void {
  if (said.has(kind)) return;
  said.add(kind);
  say("info", line);
}

/** What the exporter of a package takes; certificates it reads from the environment itself. */
function grpcConfig({ url, headers, compression, timeoutMs }: SignalOptions, name: string): object {
  return {
    // The options have the path of OTLP over HTTP by now, which this has none of.
    ...(url !== undefined && { url: new URL(url).origin }),
    ...(headers !== undefined && { metadata: createMetadata(headers, name) }),
    ...(compression !== undefined && { compression }),
    ...(timeoutMs !== undefined && { timeoutMillis: timeoutMs }),
  };
}

/** Headers as gRPC has them, by the copy of it that the exporter uses. */
function createMetadata(headers: Readonly<Record<string, string>>, name: string): object {
  const { Metadata } = createRequire(require.resolve(name))("@grpc/grpc-js") as {
    Metadata: new () => { set(name: string, value: string): void };
  };
  const metadata = new Metadata();
  for (const [header, value] of Object.entries(headers)) metadata.set(header, value);
  return metadata;
}

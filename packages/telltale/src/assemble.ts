import { diag, DiagLogLevel } from "@opentelemetry/api";
import { diagLogLevelFromString, getStringFromEnv } from "@opentelemetry/core";
import { detectResources } from "@opentelemetry/resources";
import { MeterProvider } from "@opentelemetry/sdk-metrics";
import { addListener, addSpanListener, type Instrumentation, nameCaches, say, setSay, VERSION } from "@telltale/core";
import { createFindingLog, createInsights } from "@telltale/insights";
import { expressInstrumentation, httpInstrumentation } from "@telltale/instrumentation-http";
import { pgInstrumentation } from "@telltale/instrumentation-pg";
import { redisInstrumentation } from "@telltale/instrumentation-redis";
import { createMetrics } from "@telltale/metrics";
import type { InstrumentationName } from "./config/options.js";
import type { Config } from "./config/resolve.js";
import { type Ending, flushBeforeExit, flushOnSignals } from "./lifecycle.js";
import { startLogs } from "./logs.js";
import { createMetricReaders } from "./metric-readers.js";
import { onFinding } from "./on-finding.js";
import { baseResource, resourceDetectors } from "./resource.js";
import { createPropagator } from "./propagator.js";
import { registerGlobals } from "./register-globals.js";
import { findRole } from "./role.js";
import { createSay, writeLine } from "./stderr.js";
import { createTracing } from "./tracing.js";

/** A running Telltale. */
export interface Telltale {
  /** Where Prometheus can read, once the endpoint listens; undefined when there is none in this process. */
  metricsUrl(): Promise<string | undefined>;
  /** Delivers what has been recorded so far. */
  forceFlush(): Promise<void>;
  /** Delivers, stops listening, restores every patched function. The app goes on uninstrumented. */
  shutdown(): Promise<void>;
}

const INSTRUMENTATIONS: Readonly<Record<InstrumentationName, (config: Config) => Instrumentation>> = {
  http: ({ http = {} }) => httpInstrumentation(http),
  express: () => expressInstrumentation(),
  pg: () => pgInstrumentation(),
  ioredis: () => redisInstrumentation(),
};

/** Puts the parts together as a configuration says; `ended` is called when they have been taken apart. */
export function assemble(config: Config, ended: () => void): Telltale {
  setSay(createSay(config.log ?? "info"));
  if (config.enabled === false) {
    say("info", "switched off by the configuration; the app runs without instrumentation");
    return { metricsUrl: async () => undefined, forceFlush: async () => {}, shutdown: async () => ended() };
  }
  const role = findRole(process.argv[1]);
  const undo: (() => void)[] = [];

  nameCaches(config.caches ?? {});
  const metrics = createMetrics();
  const readers = createMetricReaders(config.metrics ?? {}, role, metrics.producer);
  const { sdk = {} } = config;
  const detectors = sdk.resourceDetectors ?? resourceDetectors(config);
  const resource = (sdk.resource ?? baseResource(config)).merge(detectResources({ detectors }));
  const tracing = createTracing(config, resource);
  const meterProvider = new MeterProvider({
    resource,
    views: sdk.views ?? [],
    readers: [...readers.list, ...(sdk.metricReaders ?? [])],
  });
  undo.push(
    registerGlobals({
      contextManager: sdk.contextManager,
      propagator: sdk.textMapPropagator === undefined ? createPropagator() : (sdk.textMapPropagator ?? undefined),
      tracerProvider: tracing.provider,
      meterProvider,
    }),
  );
  // Logs are off unless asked for.
  if (getStringFromEnv("OTEL_LOGS_EXPORTER") !== undefined) undo.push(startLogs(resource));
  sendDiagnosticsToStderr();
  for (const foreign of sdk.instrumentations?.flat() ?? []) {
    if (tracing.provider !== undefined) foreign.setTracerProvider(tracing.provider);
    foreign.setMeterProvider(meterProvider);
    foreign.enable();
    undo.push(() => foreign.disable());
  }

  // Insights first: what they note on an operation must be there when its span ends, which the last listener does.
  undo.push(addListener(createInsights(config)), addListener(metrics.listener), metrics.stop);
  if (config.findingsLog === true) undo.push(addListener(createFindingLog(writeLine)));
  if (config.onFinding !== undefined) undo.push(onFinding(config.onFinding));
  if (tracing.provider !== undefined) undo.push(addSpanListener(tracing.provider));
  const instrumentations = enableInstrumentations(config);
  undo.push(
    ...instrumentations.map(
      ([, instrumentation]) =>
        () =>
          instrumentation.disable(),
    ),
  );

  const ending: Ending = {
    pending: tracing.pending,
    flush: tracing.flushAtEnd,
    limitMs: tracing.flushLimitMs,
  };
  undo.push(flushBeforeExit(ending));
  if (role !== "thread") undo.push(flushOnSignals(ending));

  void readers.url.then((url) => {
    const names = instrumentations.map(([name]) => name).join(", ") || "nothing";
    const parts = [
      `${VERSION} watches ${names}`,
      `metrics: ${url ?? readers.destination}`,
      `traces: ${tracing.destination}`,
    ];
    if (role !== "thread") say("info", parts.join(" · "));
  });

  return {
    metricsUrl: () => readers.url,
    async forceFlush() {
      await Promise.all([tracing.provider?.forceFlush(), meterProvider.forceFlush()]);
    },
    async shutdown() {
      for (const step of undo.reverse()) step();
      await Promise.all([tracing.provider?.shutdown(), meterProvider.shutdown()]);
      ended();
    },
  };
}

function enableInstrumentations(config: Config): [InstrumentationName, Instrumentation][] {
  const { instrumentations = {} } = config;
  const names = Object.keys(INSTRUMENTATIONS) as InstrumentationName[];
  return names
    .filter((name) => instrumentations[name] !== false)
    .map((name) => {
      const instrumentation = INSTRUMENTATIONS[name](config);
      instrumentation.enable();
      return [name, instrumentation];
    });
}

/** The SDK's own logger writes to stdout, which is the app's. */
function sendDiagnosticsToStderr(): void {
  const level = getStringFromEnv("OTEL_LOG_LEVEL");
  if (level === undefined) return;
  const write =
    (kind: string) =>
    (message: string, ...rest: unknown[]) => {
      writeLine(`telltale: ${kind}: ${[message, ...rest].map(String).join(" ")}`);
    };
  const logger = {
    error: write("error"),
    warn: write("warn"),
    info: write("info"),
    debug: write("debug"),
    verbose: write("verbose"),
  };
  diag.setLogger(logger, {
    logLevel: diagLogLevelFromString(level) ?? DiagLogLevel.INFO,
    suppressOverrideMessage: true,
  });
}

import { addListener, addSpanListener, type Instrumentation, nameCaches, say, setSay, VERSION } from "@telltale/core";
import { createFindingLog, createInsights } from "@telltale/insights";
import { expressInstrumentation, httpInstrumentation } from "@telltale/instrumentation-http";
import { pgInstrumentation } from "@telltale/instrumentation-pg";
import { redisInstrumentation } from "@telltale/instrumentation-redis";
import { createMetrics } from "@telltale/metrics";
import type { InstrumentationName } from "./config/options.js";
import type { Config } from "./config/resolve.js";
import { showDiagnostics } from "./diagnostics.js";
import { type Ending, flushBeforeExit, flushOnSignals } from "./lifecycle.js";
import { createLoggerProvider } from "./logger-provider.js";
import { createMeterProvider } from "./meter-provider.js";
import { createMetricReaders } from "./metric-readers.js";
import { onFinding } from "./on-finding.js";
import { leaveOutMissing } from "./optional-package.js";
import { createPropagator } from "./propagator.js";
import { registerGlobals } from "./register-globals.js";
import { createResource } from "./resource.js";
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
export function assemble(given: Config, ended: () => void): Telltale {
  setSay(createSay(given.log ?? "info"));
  if (given.enabled === false) {
    say("info", "switched off by the configuration; the app runs without instrumentation");
    return { metricsUrl: async () => undefined, forceFlush: async () => {}, shutdown: async () => ended() };
  }
  const role = findRole(process.argv[1]);
  const config = leaveOutMissing(given);
  const { sdk = {} } = config;
  const undo: (() => void)[] = [];

  showDiagnostics();
  nameCaches(config.caches ?? {});
  const metrics = createMetrics();
  const readers = createMetricReaders(config.metrics ?? {}, role, metrics);
  const resource = createResource(config);
  const tracing = createTracing(config, resource);
  const meterProvider = createMeterProvider(resource, [...readers.list, ...(sdk.metricReaders ?? [])], sdk.views);
  const loggerProvider = createLoggerProvider(resource, sdk.logRecordProcessors);
  undo.push(
    registerGlobals({
      contextManager: sdk.contextManager,
      propagator: sdk.textMapPropagator === undefined ? createPropagator() : (sdk.textMapPropagator ?? undefined),
      tracerProvider: tracing.provider,
      meterProvider,
      loggerProvider,
    }),
  );
  for (const foreign of sdk.instrumentations?.flat() ?? []) {
    if (tracing.provider !== undefined) foreign.setTracerProvider(tracing.provider);
    foreign.setMeterProvider(meterProvider);
    if (loggerProvider !== undefined) foreign.setLoggerProvider?.(loggerProvider);
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
      await Promise.all([tracing.provider?.forceFlush(), meterProvider.forceFlush(), loggerProvider?.forceFlush()]);
    },
    async shutdown() {
      for (const step of undo.reverse()) step();
      await Promise.all([tracing.provider?.shutdown(), meterProvider.shutdown(), loggerProvider?.shutdown()]);
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

import type { TextMapPropagator } from "@opentelemetry/api";
import { addListener, addSpanListener, nameCaches, say, setSay, startTimer, stopTimer, VERSION } from "@telltale/core";
import { createFindingEvents, createFindingLog, createInsights, type Insights } from "@telltale/insights";
import { createMetrics } from "@telltale/metrics";
import { atExit } from "./at-exit.js";
import { findAppFolder } from "./config/file.js";
import type { ForeignInstrumentation, InstrumentationName } from "./config/options.js";
import type { Config } from "./config/resolve.js";
import { showDiagnostics } from "./diagnostics.js";
import { createFindingsPage } from "./findings/findings-page.js";
import { makeHarmlessPropagator } from "./harmless-propagator.js";
import { INSTRUMENTATIONS } from "./instrumentations.js";
import { readKnownFindingsFile, sayUnseen } from "./known-findings-file.js";
import { keepTick } from "./kept-tick.js";
import { tellLibraries } from "./library-news.js";
import { type Ending, flushBeforeExit, flushOnSignals, flushWithin } from "./lifecycle.js";
import { correlateLogs } from "./log-correlation/loggers.js";
import { createLoggerProvider } from "./logger-provider.js";
import { createMeterProvider } from "./meter-provider.js";
import { createMetricReaders } from "./metric-readers.js";
import { onFinding } from "./on-finding.js";
import { leaveOutMissing } from "./optional-package.js";
import { endingOf } from "./outlet.js";
import { findProgram } from "./pm2.js";
import { createPropagator } from "./propagator.js";
import { registerGlobals } from "./register-globals.js";
import { createResource } from "./resource.js";
import { findRole, type Role } from "./role.js";
import { findScript } from "./script.js";
import { createSay, writeLine } from "./stderr.js";
import { createTracing, type SpanOutlet } from "./tracing.js";
import { findUpstream } from "./upstream/find.js";
import { upstreamInstrumentation } from "./upstream/instrumentation.js";
import type { UpstreamName } from "./upstream/known.js";

/** A running Telltale. */
export interface Telltale {
  /** Where Prometheus can read, once the endpoint listens; undefined when there is none in this process. */
  metricsUrl(): Promise<string | undefined>;
  /** Delivers what has been recorded so far; holds the process open for that, 30 s at most, and then rejects. With `limitMs`: for so
   * long at most, without a second try, and without a rejection; for what is about to be frozen, or killed.
   */
  forceFlush(options?: { readonly limitMs?: number }): Promise<void>;
  /**
   * Restores every patched function, delivers, stops listening. The app goes on uninstrumented. Waits and rejects as `forceFlush` does;
   * a second call changes nothing and waits for the first.
   */
  shutdown(): Promise<void>;
}

/** A provider. */
interface Part {
  forceFlush(): Promise<void>;
  shutdown(): Promise<void>;
}

/** What was put together so far, to be taken apart again. */
interface Assembly {
  readonly parts: Part[];
  readonly undo: (() => void)[];
  ending: Ending | undefined;
}

const DELIVERY_LIMIT_MS = 30_000;

const NAMES = Object.keys(INSTRUMENTATIONS) as InstrumentationName[];

/** Puts the parts together as a configuration says; `ended` is called when they have been taken apart. */
export function assemble(given: Config, ended: () => void): Telltale {
  setSay(createSay(given.log ?? "info"));
  if (given.enabled === false) {
    say("info", "switched off by the configuration; the app runs without instrumentation");
    return { metricsUrl: async () => undefined, forceFlush: async () => {}, shutdown: async () => ended() };
  }
  const assembly: Assembly = { parts: [], undo: [], ending: undefined };
  let stopped: Promise<void> | undefined;
  async function stop(): Promise<void> {
    try {
      await takeApart(assembly);
    } finally {
      ended();
    }
  }
  try {
    return {
      metricsUrl: putTogether(assembly, leaveOutMissing(given), findRole(process.argv[1])),
      forceFlush: ({ limitMs } = {}) =>
        limitMs === undefined
          ? deliver(assembly.parts.map((part) => part.forceFlush()))
          : deliverWithin(assembly.ending, limitMs),
      shutdown: () => (stopped ??= stop()),
    };
  } catch (error) {
    // Something of the app's own that does not work: half a Telltale would be worse than none.
    void takeApart(assembly).catch(() => {});
    throw error;
  }
}

/** Returns how to learn where Prometheus can read. */
function putTogether(assembly: Assembly, config: Config, role: Role): Telltale["metricsUrl"] {
  const { parts, undo } = assembly;
  const { sdk = {} } = config;
  showDiagnostics();
  keepTick();
  nameCaches(config.caches ?? {});
  const resource = createResource(config);
  const tracing = createTracing(config, resource);
  if (tracing.provider !== undefined) parts.push(tracing.provider);
  const loggerProvider = createLoggerProvider(resource, sdk.logRecordProcessors);
  if (loggerProvider !== undefined) parts.push(loggerProvider);
  const metrics = createMetrics();
  undo.push(metrics.stop);
  let insights: Insights | undefined;
  const serviceName = String(resource.attributes["service.name"]);
  const { findings: audience = "local" } = config.metrics ?? {};
  const page = audience === "none" ? undefined : createFindingsPage(() => insights, serviceName, audience);
  const readers = createMetricReaders(config.metrics ?? {}, role, metrics, serviceName, page);
  const meterProvider = createMeterProvider(resource, [...readers.list, ...(sdk.metricReaders ?? [])], sdk.views);
  parts.push({
    forceFlush: () => meterProvider.forceFlush(),
    async shutdown() {
      await readers.close();
      await meterProvider.shutdown();
    },
  });
  undo.push(
    registerGlobals({
      contextManager: sdk.contextManager,
      propagator: propagatorOf(sdk.textMapPropagator),
      tracerProvider: tracing.provider,
      meterProvider,
      loggerProvider,
    }),
  );
  const connect = (foreign: ForeignInstrumentation): void => {
    if (tracing.provider !== undefined) foreign.setTracerProvider(tracing.provider);
    foreign.setMeterProvider(meterProvider);
    if (loggerProvider !== undefined) foreign.setLoggerProvider?.(loggerProvider);
  };
  for (const foreign of sdk.instrumentations?.flat() ?? []) {
    connect(foreign);
    undo.push(() => foreign.disable());
    foreign.enable();
  }

  // Insights first: what they note on an operation must be there when its span ends, which the last listener does.
  const running = createInsights({ ...config, knownFindings: readKnownFindingsFile(config.knownFindings) });
  insights = running;
  undo.push(() => sayUnseen(running.unseenFindings()));
  undo.push(running.stop, addListener(running), addListener(metrics.listener));
  if (config.findingsLog === true) undo.push(addListener(createFindingLog(writeLine)));
  if (loggerProvider !== undefined) {
    const logger = loggerProvider.getLogger("telltale", VERSION);
    const every = { everyMs: config.findingEventsMs ?? 0, read: () => running.topFindings(Infinity) };
    undo.push(addListener(createFindingEvents(logger, every)));
  }
  if (config.onFinding !== undefined) undo.push(onFinding(config.onFinding));
  if (tracing.provider !== undefined) undo.push(addSpanListener(tracing.provider));
  const watched = enableInstrumentations(config, serviceName, undo);
  const upstream = enableUpstream(config, connect, undo);
  undo.push(...correlateLogs(config.logCorrelation ?? []));
  if (role !== "thread") undo.push(tellLibraries(findProgram(findScript(), process.env).script, metrics.heard));
  // A finding that waits for its plan is told before its listeners go, and before the last metrics are read.
  undo.push(running.tellHeld);
  parts.unshift({ forceFlush: async () => running.tellHeld(), shutdown: async () => {} });

  const ending = endingOf([...tracing.outlets, ...readers.outlets]);
  assembly.ending = ending;
  undo.push(flushBeforeExit(ending));
  undo.push(
    atExit(() => {
      insights.tellHeld();
      sayUnseen(insights.unseenFindings());
      sayUndelivered(tracing.outlets);
      readers.end((reader) => [...meterProvider.readAtOnce(reader), ...metrics.readAtOnce()]);
    }),
  );
  if (role !== "thread") undo.push(flushOnSignals(ending));

  void readers.url.then((url) => {
    const news = [
      `${VERSION} watches ${sayWatched(watched)}`,
      `metrics: ${url ?? readers.destination}`,
      `traces: ${tracing.destination}`,
      ...(upstream.length > 0 ? [`when they load, through OpenTelemetry's: ${upstream.join(", ")}`] : []),
    ];
    if (role !== "thread") say("info", news.join(" · "));
  });
  return () => readers.url;
}

/** Null for none. */
function propagatorOf(own: TextMapPropagator | null | undefined): TextMapPropagator | undefined {
  if (own === undefined) return createPropagator();
  return own === null ? undefined : makeHarmlessPropagator(own);
}

/** The names of those that are enabled. */
function enableInstrumentations(config: Config, serviceName: string, undo: Assembly["undo"]): InstrumentationName[] {
  const { instrumentations = {} } = config;
  const names = NAMES.filter((name) => instrumentations[name] !== false);
  for (const name of names) {
    const instrumentation = INSTRUMENTATIONS[name](config, serviceName);
    undo.push(() => instrumentation.disable());
    instrumentation.enable();
  }
  return names;
}

/** For a person: the shorter of what is on and what is off. */
function sayWatched(on: readonly InstrumentationName[]): string {
  const off = NAMES.filter((name) => !on.includes(name));
  if (off.length === 0) return "all it knows";
  return off.length < on.length ? `all but ${off.join(", ")}` : on.join(", ") || "nothing";
}

/** The names of those that the app has installed, and not enabled by itself. */
function enableUpstream(
  { instrumentations = {}, sdk = {} }: Config,
  connect: (foreign: ForeignInstrumentation) => void,
  undo: Assembly["undo"],
): UpstreamName[] {
  const own = new Set(sdk.instrumentations?.flat().map(({ instrumentationName }) => instrumentationName));
  const installed = findUpstream(findAppFolder(findProgram(findScript(), process.env).script, process.cwd())).filter(
    ({ name, package: upstream }) => instrumentations[name] !== false && !own.has(upstream),
  );
  for (const each of installed) {
    const instrumentation = upstreamInstrumentation(each, connect);
    undo.push(() => instrumentation.disable());
    instrumentation.enable();
  }
  return installed.map(({ name }) => name);
}

/** Where the collector takes nothing, that has been said. */
function sayUndelivered(outlets: readonly SpanOutlet[]): void {
  const spans = Math.max(0, ...outlets.map((outlet) => (outlet.delivering() === false ? 0 : outlet.waiting())));
  if (spans === 0) return;
  const which = spans === 1 ? "a span is" : `${spans} spans are`;
  say(
    "info",
    `${which} lost, as the process ended at once; instead of process.exit() set process.exitCode, or await start().forceFlush() before`,
  );
}

async function takeApart({ parts, undo }: Assembly): Promise<void> {
  for (const step of undo.splice(0).reverse()) {
    try {
      step();
    } catch (error) {
      // The app's own parts may throw; what comes after must be restored all the same.
      say("error", `a part could not be switched off: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  await deliver(parts.map((part) => part.shutdown()));
}

/** Without a second try, and no longer than the end of a process would be held back for it. */
async function deliverWithin(ending: Ending | undefined, limitMs: number): Promise<void> {
  if (ending?.pending()) await flushWithin(ending, Math.min(limitMs, ending.limitMs()));
}

/** Waits for deliveries. What is sent holds no process open, so this does: the app waits for it, too. */
async function deliver(work: readonly Promise<void>[]): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const message = `telltale: not all was delivered within ${DELIVERY_LIMIT_MS} ms`;
    timer = startTimer(() => reject(new Error(message)), DELIVERY_LIMIT_MS);
  });
  try {
    const results = await Promise.race([Promise.allSettled(work), late]);
    for (const result of results) if (result.status === "rejected") throw result.reason;
  } finally {
    stopTimer(timer);
  }
}

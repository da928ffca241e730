import type { FindingRecord, NamingStrategy } from "@telltale/core";
import type { ContextManager, TextMapPropagator } from "@opentelemetry/api";
import type { Resource, ResourceDetector } from "@opentelemetry/resources";
import type { LogRecordProcessor } from "@opentelemetry/sdk-logs";
import type { IMetricReader, ViewOptions } from "@opentelemetry/sdk-metrics";
import type { IdGenerator, Sampler, SpanLimits, SpanProcessor } from "@opentelemetry/sdk-trace";
import type { UpstreamName } from "../upstream/known.js";

/** How much Telltale says on stderr. */
export type LogLevel = "silent" | "info" | "debug";
/** What Telltale instruments itself. */
export type InstrumentationName =
  | "http"
  | "express"
  | "fastify"
  | "koa"
  | "hapi"
  | "hono"
  | "next"
  | "pg"
  | "mysql2"
  | "postgres"
  | "mariadb"
  | "sqlite"
  | "better-sqlite3"
  | "tedious"
  | "mongodb"
  | "ioredis"
  | "redis"
  | "memcached"
  | "memjs"
  | "keyv"
  | "node-cache"
  | "tarn"
  | "generic-pool"
  | "sequelize-pool";
/** Where trace ids can be added to what the app logs. */
export type LogCorrelationName = "pino" | "winston" | "console";
export type TracesExporterName = "otlp" | "console" | "zipkin" | "none";
export type MetricsExporterName = "prometheus" | "otlp" | "console" | "none";
export type OtlpProtocol = "http/protobuf" | "http/json" | "grpc";
/** The names of `OTEL_TRACES_SAMPLER`. */
export type SamplerName =
  | "always_on"
  | "always_off"
  | "traceidratio"
  | "parentbased_always_on"
  | "parentbased_always_off"
  | "parentbased_traceidratio";

/** Where and how OTLP is sent; what is not set here comes from the `OTEL_EXPORTER_OTLP_*` variables. */
export interface OtlpOptions {
  /** Base URL, to which `/v1/traces` or `/v1/metrics` is added. Default `http://localhost:4318`. */
  endpoint?: string;
  /** Sent with every export; never printed. */
  headers?: Record<string, string>;
  /** Default `http/protobuf`. */
  protocol?: OtlpProtocol;
  /** Default none. */
  compression?: "gzip" | "none";
  /** Time for one export with its retries, in ms. Default 10,000. */
  timeoutMs?: number;
}

/** Why a request that is not sampled may be exported all the same. */
export type KeepReason = "error" | "slow" | "finding";

export interface TracesOptions extends OtlpOptions {
  /** Default `["otlp"]`. */
  exporters?: TracesExporterName[];
  /** Default `parentbased_always_on`. */
  sampler?: SamplerName;
  /** Share of traces kept by the ratio samplers, 0 to 1. Default 1. */
  samplerArg?: number;
  /**
   * Requests to export although they are not sampled: those that failed, were slow, or had a finding. Default `["none"]`: what the sampler
   * says is what is sent and paid for.
   */
  keep?: (KeepReason | "none")[];
  /** A request that takes so long is slow, in ms. Default 1,000. */
  keepSlowMs?: number;
  /** Requests kept per second; 0 keeps none. Default 100. */
  keepPerSecond?: number;
}

export interface MetricsOptions extends OtlpOptions {
  /** Default `["prometheus"]`. */
  exporters?: MetricsExporterName[];
  /** Address of the Prometheus endpoint. Default `127.0.0.1`. */
  host?: string;
  /** Port of the Prometheus endpoint; 0 takes a free one. Default 9464. */
  port?: number;
  /** How names become names of Prometheus. Default `UnderscoreEscapingWithSuffixes`. */
  naming?: NamingStrategy;
  /** `otel_scope_*` labels on all series (true) or none (false). Default: on all but Telltale's own; with `upstream` names, on all. */
  scopeLabels?: boolean;
  /** Resource attributes that every series has as labels; `*` stands for anything: `["k8s.*"]`. Default none. */
  resourceLabels?: string[];
  /** Bytes, uncompressed, after which a page of the Prometheus endpoint ends. Default 33,554,432. */
  maxPageBytes?: number;
  /**
   * Who may read the findings beside the metrics, at `/findings`: this machine, wherever the endpoint is bound (`local`), whoever reads the
   * metrics (`all`), nobody (`none`). Default `local`.
   */
  findings?: "local" | "all" | "none";
  /** Time between two OTLP or console exports, in ms. Default 60,000. */
  intervalMs?: number;
  /**
   * One Prometheus endpoint for all processes on this machine with the same service name and port, cluster workers and worker threads
   * among them. False gives each process its own: cluster workers the next free ports, threads none. Default true.
   */
  merge?: boolean;
  /**
   * How a gauge of several processes becomes one value, by metric: `{ "queue.depth": "max" }`. Default `each`, which keeps them apart by
   * the label `telltale_worker`.
   */
  gauges?: Record<string, "sum" | "min" | "max" | "mean" | "each">;
}

export interface NPlusOneOptions {
  /** Calls of one shape in one request that make a finding. Default 5. */
  minCount?: number;
  /** Time they must take together, in ms … Default 20. */
  minTotalMs?: number;
  /** … or their share of the request. Default 0.2. */
  minShare?: number;
  /** Routes (`/orders/:id`) in which repeated queries are meant. Default none. */
  ignoreRoutes?: string[];
  /** Fingerprints, as findings show them, that may repeat. Default none. */
  ignoreFingerprints?: string[];
}

/** When the use of a cache is a finding. */
export interface CacheFindingOptions {
  /** Keys of one kind that hit less, 0 to 1, in two windows running after the first. Default 0.5. */
  minHitRatio?: number;
  /** Lookups that a window must have; one that has fewer goes on; 0 turns hit ratios off. Default 500. */
  minLookups?: number;
  /** The length of a window, in ms. Default 60,000. */
  windowMs?: number;
  /** Keys that one request misses, which is slow for it; 0 turns it off. Default 10. */
  minMisses?: number;
  /** Requests that miss one key at the same time and run the same query for it; 0 turns it off. Default 5. */
  minStampede?: number;
  /** Writes of a kind of keys that nobody reads … Default 1,000. */
  minWrites?: number;
  /** … for so long, in ms; 0 turns it off. Default 600,000. */
  neverReadMs?: number;
  /** Names of caches (`telltale.cache.name`) of which nothing is to be told. Default none. */
  ignoreCaches?: string[];
}

/** When who holds the connections of a pool is a finding; a time-out always is. */
export interface PoolOptions {
  /** Waits for a connection longer than this, in ms; 0 turns them off. Default 100. */
  waitMs?: number;
  /** Connections held so long without a query, in ms; 0 turns it off. Default 30,000. */
  idleMs?: number;
  /** The same, counted from the end of the request that took the connection. Default 5,000. */
  afterRequestMs?: number;
  /** Names of pools (`db.client.connection.pool.name`) whose connections are held for long on purpose. Default none. */
  ignorePools?: string[];
  /** Routes (`/events/:id`) that hold a connection for long on purpose. Default none. */
  ignoreRoutes?: string[];
}

export interface HttpOptions {
  /** Incoming paths that are neither traced nor counted, such as health checks: exact, without the query. Default none. */
  ignoreIncomingPaths?: string[];
  /** Takes `client.address` from `X-Forwarded-For`: only behind a proxy that sets it. Default false. */
  trustForwarded?: boolean;
}

export interface SlowQueryOptions {
  /** Thresholds in ms by `db.system.name`: `{ "redis": 20 }`. Default none: `slowQueryMs` holds for all. */
  bySystem?: Record<string, number>;
  /** Thresholds in ms by query summary: `{ "SELECT reports": 2000 }`; stronger than `bySystem`. Default none. */
  bySummary?: Record<string, number>;
  /** Whether queries are also held against what queries of their shape usually take. Default true. */
  baseline?: boolean;
}

export interface EventLoopOptions {
  /** Work that keeps the event loop so long is a finding, in ms; 0 leaves the event loop alone. Default 50. */
  blockMs?: number;
  /**
   * After such a finding, runs V8's CPU profiler until the next one (10 s at most, once a minute), to say which function it was. The app is
   * a few per cent slower meanwhile. Default false.
   */
  profile?: boolean;
}

/** What makes spans: Telltale's own engine, or the tracer of the OpenTelemetry SDK. */
export type EngineName = "telltale" | "sdk";

/** An instrumentation as OpenTelemetry's own are. */
export interface ForeignInstrumentation {
  readonly instrumentationName?: string;
  enable(): void;
  disable(): void;
  setTracerProvider(provider: unknown): void;
  setMeterProvider(provider: unknown): void;
  setLoggerProvider?(provider: unknown): void;
}

/** Parts of the OpenTelemetry SDK to use, by the names that its `NodeSDK` has for them. */
export interface SdkOptions {
  /** Added to ours; they see every recorded span. */
  spanProcessors?: SpanProcessor[];
  /** In place of `traces.sampler`. */
  sampler?: Sampler;
  idGenerator?: IdGenerator;
  /** Stronger than the `OTEL_SPAN_*` variables. */
  spanLimits?: SpanLimits;
  /** In place of `OTEL_PROPAGATORS`; null for none. */
  textMapPropagator?: TextMapPropagator | null;
  /** In place of one on `AsyncLocalStorage`. */
  contextManager?: ContextManager;
  /** The weakest resource, below what is detected. */
  resource?: Resource;
  /** In place of those of `OTEL_NODE_RESOURCE_DETECTORS`, `serviceName` and `resourceAttributes`. */
  resourceDetectors?: ResourceDetector[];
  /** False asks no detector. Default true. */
  autoDetectResources?: boolean;
  /** The strongest `service.name`. */
  serviceName?: string;
  /** Added to ours. */
  metricReaders?: IMetricReader[];
  views?: ViewOptions[];
  /** In place of `OTEL_LOGS_EXPORTER`. */
  logRecordProcessors?: LogRecordProcessor[];
  /** Enabled, and given our providers. */
  instrumentations?: (ForeignInstrumentation | ForeignInstrumentation[])[];
}

/** What a configuration file may say. */
export interface FileOptions {
  /** False leaves the app alone. Default true. */
  enabled?: boolean;
  /** `service.name`. Default: the name in the app's package.json. */
  serviceName?: string;
  /** Added to what is detected. Default none. */
  resourceAttributes?: Record<string, string | number | boolean>;
  /** Default `info`: one line at the start, and what went wrong. */
  log?: LogLevel;
  /** What to leave alone: `{ "pg": false }`. Default: all on; OpenTelemetry's own, where they are installed. */
  instrumentations?: Partial<Record<InstrumentationName | UpstreamName, boolean>>;
  /**
   * Loggers whose lines get `trace_id`, `span_id` and `trace_flags` of the active span. Default `["none"]`: what the app writes is read by
   * others, who may know these fields as little as the app does.
   */
  logCorrelation?: (LogCorrelationName | "none")[];
  /** Default `telltale`; the telemetry is the same. */
  engine?: EngineName;
  http?: HttpOptions;
  traces?: TracesOptions;
  metrics?: MetricsOptions;
  /** Queries slower than this are findings, in ms; 0 turns them off. Default 100. */
  slowQueryMs?: number;
  slowQueries?: SlowQueryOptions;
  eventLoop?: EventLoopOptions;
  nPlusOne?: NPlusOneOptions;
  pools?: PoolOptions;
  /**
   * Asks PostgreSQL, MySQL or MariaDB how it would run a slow plain SELECT (`EXPLAIN`, never `ANALYZE`; PostgreSQL without its values), on a
   * connection of its own, each query shape once an hour. Default false.
   */
  explain?: boolean;
  /** Ends texts with a comment that says `application` and `db_driver`, for the server's own log and statistics. Default false. */
  sqlcommenter?: boolean;
  cacheFindings?: CacheFindingOptions;
  /** One JSON line on stderr per finding. Default false. */
  findingsLog?: boolean;
  /**
   * How often findings that came again since are told of by events of the logs, with their count and lost time of then, in ms. Default 0: as
   * to `onFinding`, once a minute.
   */
  findingEventsMs?: number;
  /**
   * A file with findings that are accepted for now, from the working directory. They are counted with `telltale.finding.accepted`, and neither
   * logged nor handed to `onFinding`. Default `telltale.todo.json`, if it is there.
   */
  knownFindings?: string;
  /** Names of caches by key pattern: `{ "user:*": "profiles" }`. Default: the key's first segment. */
  caches?: Record<string, string>;
}

/** What `start()` takes: all that a file may say, and what only code can. */
export interface TelltaleOptions extends FileOptions {
  /** Called when something is found for the first time, and while it comes again, once a minute; see `onFinding()`. */
  onFinding?: (finding: FindingRecord) => unknown;
  sdk?: SdkOptions;
}

/** OTLP options of one signal, with what only the environment can give. */
export interface SignalOptions extends OtlpOptions {
  /** The whole URL. */
  url?: string;
  /** PEM files: whom to trust, and who we are. */
  caFile?: string;
  certFile?: string;
  keyFile?: string;
}

/** The options of one source. */
export interface SourceOptions extends TelltaleOptions {
  traces?: TracesOptions & SignalOptions;
  metrics?: MetricsOptions & SignalOptions;
}

/** A wrong configuration: every problem found, each with the option, what came and what is accepted. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly problems: readonly string[];
  constructor(problems: readonly string[]) {
    super(problems.join("; "));
    this.problems = problems;
  }
}

import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import type { Certificate } from "./sink/sink.js";

/** What a server under test finds around it. */
export interface Surroundings {
  /** Port of its own collector. */
  readonly collector: number;
  /** A free port for its metrics. */
  readonly metrics: number;
  /** Folder of the peer's install. */
  readonly peer: string;
  /** Of the collector, where that speaks TLS. */
  readonly certificate: Certificate | undefined;
}

/** One way to run the app. */
export interface Variant {
  readonly name: string;
  /** One line for people. */
  readonly about: string;
  /** The peer in `peers/` that it needs. */
  readonly peer?: string;
  readonly needsTls?: boolean;
  /** Whether spans must have come to the collector after a load. */
  readonly sendsSpans?: boolean;
  /** Whether the metrics port is scraped under load. */
  readonly isScraped?: boolean;
  /** Arguments for Node, before the app. */
  preload?(around: Surroundings): string[];
  env?(around: Surroundings): Record<string, string>;
}

/** The one that all others are compared with. */
export const BARE = "bare";

const agent = (name: string): string => fileURLToPath(new URL(`../agents/${name}.cjs`, import.meta.url));
const own = createRequire(import.meta.url);
const ofPeer =
  (specifier: string) =>
  ({ peer }: Surroundings): string[] => ["--require", createRequire(`${peer}/package.json`).resolve(specifier)];

const otlp = ({ collector }: Surroundings): Record<string, string> => ({
  OTEL_SERVICE_NAME: "bench",
  OTEL_TRACES_EXPORTER: "otlp",
  OTEL_METRICS_EXPORTER: "none",
  OTEL_LOGS_EXPORTER: "none",
  OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${collector}`,
  OTEL_EXPORTER_OTLP_PROTOCOL: "http/protobuf",
});

function telltale(name: string, about: string, env: Record<string, string>, sendsSpans = true): Variant {
  return {
    name,
    about,
    sendsSpans,
    isScraped: true,
    preload: () => ["--require", own.resolve("telltale/register")],
    env: (around) => ({
      ...otlp(around),
      OTEL_METRICS_EXPORTER: "prometheus",
      OTEL_EXPORTER_PROMETHEUS_PORT: String(around.metrics),
      TELLTALE_LOG: "silent",
      ...env,
    }),
  };
}

const sampled = (ratio: string) => ({
  OTEL_TRACES_SAMPLER: "parentbased_traceidratio",
  OTEL_TRACES_SAMPLER_ARG: ratio,
});

export const OWN_VARIANTS: readonly Variant[] = [
  { name: BARE, about: "the app alone" },
  {
    name: "floor",
    about: "what no agent can be below: a context per request, two timestamps per operation",
    preload: () => ["--require", agent("floor")],
  },
  telltale("telltale", "traces of every request, metrics scraped every second, findings", {}),
  telltale("telltale-metrics", "metrics and findings, no traces", { OTEL_TRACES_EXPORTER: "none" }, false),
  telltale("telltale-1pct", "as telltale, 1 % of the traces", sampled("0.01")),
  telltale("telltale-0pct", "as telltale, 0 % of the traces", sampled("0"), false),
  telltale("telltale-sdk", "as telltale, spans by the SDK's tracer", { TELLTALE_ENGINE: "sdk" }),
];

export const PEER_VARIANTS: readonly Variant[] = [
  {
    name: "otel-auto",
    about: "OpenTelemetry's auto-instrumentations-node",
    peer: "otel-auto",
    sendsSpans: true,
    preload: ofPeer("@opentelemetry/auto-instrumentations-node/register"),
    env: otlp,
  },
  {
    name: "otel-min",
    about: "OpenTelemetry's SDK with the four instrumentations that the app needs",
    peer: "otel-min",
    sendsSpans: true,
    preload: () => ["--require", agent("otel-min")],
    env: (around) => ({ ...otlp(around), BENCH_PEER: around.peer }),
  },
  {
    name: "dd-trace",
    about: "Datadog",
    peer: "dd-trace",
    sendsSpans: true,
    preload: ofPeer("dd-trace/init"),
    env: ({ collector }) => ({ DD_TRACE_AGENT_URL: `http://127.0.0.1:${collector}`, DD_SERVICE: "bench" }),
  },
  {
    name: "sentry",
    about: "Sentry, all traces",
    peer: "sentry",
    sendsSpans: true,
    preload: () => ["--import", agent("sentry")],
    env: ({ collector, peer }) => ({ BENCH_SENTRY_DSN: `http://public@127.0.0.1:${collector}/1`, BENCH_PEER: peer }),
  },
  {
    name: "newrelic",
    about: "New Relic, all traces, as many spans as it keeps",
    peer: "newrelic",
    needsTls: true,
    sendsSpans: true,
    preload: ofPeer("newrelic"),
    env: ({ collector, certificate }) => ({
      NEW_RELIC_APP_NAME: "bench",
      NEW_RELIC_LICENSE_KEY: "0".repeat(40),
      NEW_RELIC_NO_CONFIG_FILE: "true",
      NEW_RELIC_LOG_ENABLED: "false",
      NEW_RELIC_HOST: "localhost",
      NEW_RELIC_PORT: String(collector),
      NEW_RELIC_DISTRIBUTED_TRACING_SAMPLER_ROOT: "always_on",
      NEW_RELIC_SPAN_EVENTS_MAX_SAMPLES_STORED: "10000",
      ...(certificate && { NODE_EXTRA_CA_CERTS: certificate.cert }),
    }),
  },
  {
    name: "elastic",
    about: "Elastic's distribution of OpenTelemetry",
    peer: "elastic",
    sendsSpans: true,
    preload: ({ peer }) => ["--require", `${peer}/node_modules/@elastic/opentelemetry-node/require.js`],
    env: otlp,
  },
  {
    name: "splunk",
    about: "Splunk's distribution of OpenTelemetry",
    peer: "splunk",
    sendsSpans: true,
    preload: ofPeer("@splunk/otel/instrument"),
    env: otlp,
  },
];

export const VARIANTS: readonly Variant[] = [...OWN_VARIANTS, ...PEER_VARIANTS];

/**
 * How many servers a variant has where ours have so many. Two processes of one program differ by some percent for as long as they live; another
 * agent's distance from bare is many times that.
 */
export function copiesOf({ peer }: Variant, ours: number): number {
  return peer === undefined ? ours : 1;
}

import type { Server } from "node:http";
import { type MetricProducer, MetricReader, type ResourceMetrics } from "@opentelemetry/sdk-metrics";
import { count, type Naming, say, sayOnce, Slices, underscoreEscapingWithSuffixes } from "@telltale/core";
import { createEndpoint, createHandler, type Handler } from "./endpoint.js";
import { collectFamilies, type DropReason, type FamilyOptions } from "./families.js";
import { createLabelRenderer } from "./labels.js";
import { listen, type Listening } from "./listen.js";

import { formatText } from "./text-format.js";

export interface PrometheusHandlerOptions {
  /** Metrics beside those of the SDK's own instruments. */
  readonly metricProducers?: readonly MetricProducer[];
  /**
   * `otel_scope_name` and `otel_scope_version` on every series (true), or on none (false). Default: on all but Telltale's own,
   * where the same two would stand on every line.
   */
  readonly scopeLabels?: boolean;
  /** How names are made. Default `underscoreEscapingWithSuffixes`. */
  readonly naming?: Naming;
}

export interface PrometheusReaderOptions extends PrometheusHandlerOptions {
  /** Default `127.0.0.1`. */
  readonly host?: string;
  /** 0 takes any free one. Default 9464. */
  readonly port?: number;
  /** Ports tried one after the other while they are in use, from `port` on. Default 1. */
  readonly portsToTry?: number;
  /** Default `/metrics`. */
  readonly path?: string;
  /** Told of the server before it listens, so that an instrumentation can leave it alone. */
  readonly onServer?: (server: Server) => void;
}

export interface PrometheusHandler {
  /** For the SDK's MeterProvider. */
  readonly reader: MetricReader;
  /** Answers a scrape on a server of your own, whatever the path. */
  readonly handler: Handler;
}

export interface PrometheusReader extends PrometheusHandler {
  /** Where Prometheus can read, or why it cannot. Never rejects: without an endpoint the program runs on. */
  readonly listening: Promise<Listening>;
}

/** A reader for Prometheus without a server: `handler` goes onto one of your own. */
export function createPrometheusHandler(options: PrometheusHandlerOptions = {}): PrometheusHandler {
  const reader = createPullReader(options.metricProducers, () => {});
  const families = familyOptions(options);
  return { reader, handler: createHandler(() => scrape(reader, families)) };
}

/**
 * A reader with an HTTP server of its own that Prometheus reads from. The server listens on loopback unless told otherwise,
 * does not keep the process alive, and closes at once with the reader's `shutdown`.
 */
export function createPrometheusReader(options: PrometheusReaderOptions = {}): PrometheusReader {
  const { host = "127.0.0.1", port = 9464, portsToTry = 1, path = "/metrics" } = options;
  const reader = createPullReader(options.metricProducers, () => {
    server.close();
    server.closeAllConnections();
  });
  const families = familyOptions(options);
  const handler = createHandler(() => scrape(reader, families));
  const server = createEndpoint(path, handler);
  options.onServer?.(server);
  const listening = listen(server, { host, port, portsToTry }).then((result) =>
    "url" in result ? { url: result.url + path } : result,
  );
  return { reader, listening, handler };
}

async function scrape(reader: MetricReader, families: FamilyOptions): Promise<AsyncIterable<Buffer>> {
  const { resourceMetrics, errors } = await reader.collect();
  for (const error of errors) sayOnce("error", `some metrics could not be collected: ${String(error)}`);
  await resourceKnown(resourceMetrics);
  const slices = new Slices();
  return formatText(await collectFamilies(resourceMetrics, families, slices), slices);
}

/** Detectors of the resource may still be asking. */
async function resourceKnown({ resource }: ResourceMetrics): Promise<void> {
  if (resource.asyncAttributesPending) await resource.waitForAsyncAttributes?.();
}

function familyOptions({ scopeLabels, naming = underscoreEscapingWithSuffixes }: PrometheusHandlerOptions) {
  const known = new Set<string>();
  return {
    naming,
    labels: createLabelRenderer(naming),
    labelsScope: ({ name }: { readonly name: string }) => scopeLabels ?? name !== "telltale",
    /** The same metrics fail at each scrape: said and counted once each. */
    dropped(reason: DropReason, metric: string, text: string): void {
      const key = `${reason} ${metric}`;
      if (known.has(key) || known.size >= 1000) return;
      known.add(key);
      count("telltale.metrics.dropped", "telltale.reason", reason);
      say("info", `a metric is missing for Prometheus: ${text}`);
    },
  };
}

/** The SDK's base class does the collecting; a reader that is only asked adds nothing to it. */
function createPullReader(producers: readonly MetricProducer[] = [], atShutdown: () => void): MetricReader {
  class PullReader extends MetricReader {
    protected override async onForceFlush(): Promise<void> {}
    protected override async onShutdown(): Promise<void> {
      atShutdown();
    }
  }
  return new PullReader({ metricProducers: [...producers] });
}

import type { Server } from "node:http";
import {
  type CollectionResult,
  type MetricCollectOptions,
  type MetricProducer,
  MetricReader,
  type ResourceMetrics,
} from "@opentelemetry/sdk-metrics";
import { count, type NamingStrategy, say, sayOnce, startTimer, stopTimer } from "@telltale/core";
import { answerPages, type Handler } from "./answer-pages.js";
import { createEndpoint } from "./endpoint.js";
import type { DropReason, Page } from "./families.js";
import { listen, type Listening } from "./listen.js";
import { type Format, negotiateFormat, TEXT } from "./negotiate.js";
import type { PageLimit } from "./page-limit.js";
import { createRenderer } from "./render-page.js";
import { createPageHandler, type SidePage } from "./side-page.js";

export interface PrometheusHandlerOptions {
  /** Metrics beside those of the SDK's own instruments. */
  readonly metricProducers?: readonly MetricProducer[];
  /** How names are made. Default `UnderscoreEscapingWithSuffixes`. */
  readonly naming?: NamingStrategy;
  /**
   * `otel_scope_name`, `otel_scope_version` and `otel_scope_schema_url` on every series (true), or on none (false). Default: on all
   * but Telltale's own, where the same would stand on every line; with `upstream` names, on all.
   */
  readonly scopeLabels?: boolean;
  /** Resource attributes that every series gets as labels: names, in which `*` stands for anything. Default none. */
  readonly resourceLabels?: readonly string[];
  /**
   * Bytes, uncompressed, after which a page ends: what is left out is said once and counted in `telltale.metrics.dropped`.
   * Default 33,554,432, some 200,000 lines.
   */
  readonly maxPageBytes?: number;
  /** Called at each scrape with what this process has; what it returns is shown. Where it rejects, the scrape fails. */
  readonly merge?: (own: Page) => Promise<Page>;
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
  /** A page of JSON beside the metrics. Default none. */
  readonly page?: SidePage;
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
  return { reader, handler: createScrapeHandler(reader, options) };
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
  const handler = createScrapeHandler(reader, options);
  const { page } = options;
  const served = page && { path: page.path, handler: createPageHandler(page, async () => ({ parts: [], silent: 0 })) };
  const server = createEndpoint({ path, handler }, served);
  options.onServer?.(server);
  const listening = listen(server, { host, port, portsToTry }).then((result) =>
    "url" in result ? { url: result.url + path } : result,
  );
  return { reader, listening, handler };
}

const MAX_PAGE_BYTES = 33_554_432;

function createScrapeHandler(reader: MetricReader, options: PrometheusHandlerOptions): Handler {
  const { naming = "UnderscoreEscapingWithSuffixes", scopeLabels, resourceLabels = [], merge } = options;
  const dropped = createDropped();
  const limit: PageLimit = {
    bytes: options.maxPageBytes ?? MAX_PAGE_BYTES,
    cut({ name, series }, missing) {
      const text = `${missing} of the ${series.size} series of ${name}, because a page ends at ${limit.bytes} bytes (maxPageBytes)`;
      dropped("size", name, text);
    },
  };
  const render = createRenderer({
    naming,
    labelsScope: ({ name }) => scopeLabels ?? (naming === "upstream" || name !== "telltale"),
    resourceLabels,
    limit,
    dropped,
  });
  async function scrape(format: Format): Promise<AsyncIterable<Uint8Array>> {
    const { resourceMetrics, errors } = await reader.collect();
    for (const error of errors) sayOnce("error", `some metrics could not be collected: ${String(error)}`);
    await resourceKnown(resourceMetrics);
    return render(merge === undefined ? resourceMetrics : await merge(resourceMetrics), format);
  }
  return answerPages({ subject: "Metrics", verb: "are" }, ({ headers: { accept } }) => {
    // Upstream has one format only.
    const format = naming === "upstream" ? TEXT : negotiateFormat(accept);
    return {
      headers: { "content-type": format.contentType, vary: "accept, accept-encoding" },
      make: () => scrape(format),
    };
  });
}

/** Detectors of the resource may still be asking; one that never hears an answer must not cost all metrics. */
async function resourceKnown({ resource }: ResourceMetrics): Promise<void> {
  if (!resource.asyncAttributesPending) return;
  const { promise: late, resolve } = Promise.withResolvers<void>();
  const timer = startTimer(resolve, ANSWER_MS).unref();
  await Promise.race([resource.waitForAsyncAttributes?.(), late]);
  stopTimer(timer);
}

/** The same metrics fail at each scrape: said and counted once each. */
function createDropped(): (reason: DropReason, metric: string, text: string) => void {
  const known = new Set<string>();
  return (reason, metric, text) => {
    const key = `${reason} ${metric}`;
    if (known.has(key) || known.size >= 1000) return;
    known.add(key);
    count("telltale.metrics.dropped", "telltale.reason", reason);
    say("info", `a metric is missing for Prometheus: ${text}`);
  };
}

/** What the app's own callbacks have time for, in ms; with what follows, less than a connection may be idle. */
const ANSWER_MS = 1_500;

/** The SDK's base class does the collecting; a reader that is only asked adds an end to it: callbacks may wait for ever. */
function createPullReader(producers: readonly MetricProducer[] = [], atShutdown: () => void): MetricReader {
  class PullReader extends MetricReader {
    override collect(options?: MetricCollectOptions): Promise<CollectionResult> {
      return super.collect({ timeoutMillis: ANSWER_MS, ...options });
    }
    protected override async onForceFlush(): Promise<void> {}
    protected override async onShutdown(): Promise<void> {
      atShutdown();
    }
  }
  return new PullReader({ metricProducers: [...producers] });
}

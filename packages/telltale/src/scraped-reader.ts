import type { IMetricReader, ScopeMetrics } from "@opentelemetry/sdk-metrics";
import { say } from "@telltale/core";
import {
  createPrometheusReader,
  createSharedReader,
  type Listening,
  type SharedReader,
  type SidePage,
} from "@telltale/exporter-prometheus";
import { ignoreServer } from "@telltale/instrumentation-http";
import type { Metrics } from "@telltale/metrics";
import type { SourceOptions } from "./config/options.js";
import type { Outlet } from "./outlet.js";
import type { Role } from "./role.js";

type MetricsOptions = NonNullable<SourceOptions["metrics"]>;

/** The reader that Prometheus asks, in this process or in another one that serves it. */
export interface ScrapedReader {
  readonly reader: IMetricReader;
  /** Where Prometheus can read, once it can; undefined when it cannot. */
  readonly url: Promise<string | undefined>;
  /** Undefined where no other process keeps what this one counts. */
  readonly outlet: Outlet | undefined;
  /** The process ends in this moment: what `read` finds goes to the one that serves it. */
  end(read: () => readonly ScopeMetrics[]): void;
  /** Before the reader's `shutdown`. */
  close(): Promise<void>;
}

/** Ports that cluster workers try, one after the other, from the configured one on, where each has an endpoint of its own. */
const WORKER_PORTS = 64;

/** Undefined for a thread whose process is to serve nothing but its own. */
export function createScrapedReader(
  options: MetricsOptions,
  role: Role,
  metrics: Metrics,
  service: string,
  page: SidePage | undefined,
): ScrapedReader | undefined {
  const { host, port, naming, scopeLabels, resourceLabels, maxPageBytes, gauges, merge = true } = options;
  const common = {
    ...(host !== undefined && { host }),
    ...(port !== undefined && { port }),
    ...(naming !== undefined && { naming }),
    ...(scopeLabels !== undefined && { scopeLabels }),
    ...(resourceLabels !== undefined && { resourceLabels }),
    ...(maxPageBytes !== undefined && { maxPageBytes }),
    metricProducers: [metrics.producer],
    onServer: ignoreServer,
    ...(page && { page }),
  };
  // Named pipes are open to every user of Windows.
  if (!merge || process.platform === "win32") {
    if (role === "thread") return undefined;
    const portsToTry = role === "cluster-worker" ? WORKER_PORTS : 1;
    const { reader, listening } = createPrometheusReader({ ...common, portsToTry });
    return { reader, url: urlOf(listening, role), outlet: undefined, end() {}, close: async () => {} };
  }
  const parent = role === "cluster-worker" ? process.ppid : undefined;
  const shared = createSharedReader({
    ...common,
    service,
    parent,
    isThread: role === "thread",
    ...(gauges && { gauges }),
  });
  const { reader, listening, end, close } = shared;
  return { reader, url: urlOf(listening, role), outlet: outletOf(shared), end, close };
}

async function urlOf(listening: Promise<Listening>, role: Role): Promise<string | undefined> {
  const result = await listening;
  if ("url" in result) return result.url;
  if (role !== "thread") say("info", result.error);
  return undefined;
}

function outletOf(shared: SharedReader): Outlet {
  return {
    hasMore: shared.pending,
    // It is on this machine, and answers in milliseconds or is stuck.
    delivering: () => undefined,
    forceFlush: shared.flush,
    hurry: () => () => {},
  };
}

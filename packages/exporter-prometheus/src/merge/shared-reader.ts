import type { ScopeMetrics } from "@opentelemetry/sdk-metrics";
import { sayOnce } from "@telltale/core";
import { createPrometheusHandler, type PrometheusReader, type PrometheusReaderOptions } from "../prometheus-reader.js";
import type { GaugeRule } from "./gauge-rules.js";
import { Membership } from "./membership.js";

export interface SharedReaderOptions extends Omit<PrometheusReaderOptions, "portsToTry" | "merge"> {
  /** Only processes of one service become one endpoint. */
  readonly service: string;
  /** A worker thread never serves: its process does, or another. Default false. */
  readonly isThread?: boolean;
  /** Of a cluster worker, the process id of its primary. */
  readonly parent?: number | undefined;
  /** How gauges of several processes become one, by metric; the default of those that are not Telltale's own is `each`. */
  readonly gauges?: Readonly<Record<string, GaugeRule>>;
}

export interface SharedReader extends PrometheusReader {
  /** True while another process keeps what this one counted, and has not been told the last of it. */
  pending(): boolean;
  /** Tells it. */
  flush(): Promise<void>;
  /** The process ends in this moment: tells what `read` finds, and leaves. */
  end(read: () => readonly ScopeMetrics[]): void;
  /** Tells, and leaves; before the reader's `shutdown`. */
  close(): Promise<void>;
}

/**
 * A reader whose process shares one endpoint with its threads and with the other processes of its service on this machine: whoever has
 * the port serves, the others report to it, and when it ends one of them takes its place. Never fails, and keeps nothing alive.
 */
export function createSharedReader(options: SharedReaderOptions): SharedReader {
  const { reader, handler } = createPrometheusHandler({ ...options, merge: (own) => membership.merge(own) });
  const { host = "127.0.0.1", port = 9464, path = "/metrics", service } = options;
  const { isThread = false, parent, gauges = {}, onServer, page } = options;
  const membership = new Membership({
    service,
    host,
    port,
    path,
    isThread,
    parent,
    gauges,
    onServer,
    handler,
    page,
    async collect() {
      membership.asked();
      const { resourceMetrics, errors } = await reader.collect();
      for (const error of errors) sayOnce("error", `some metrics could not be collected: ${String(error)}`);
      return resourceMetrics;
    },
  });
  return {
    reader,
    handler,
    listening: membership.listening,
    pending: () => membership.isPending,
    flush: () => membership.flush(),
    end: (read) => membership.end(read),
    close: () => membership.close(),
  };
}

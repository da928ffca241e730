import { findServer } from "./find-server.js";
import { freePort } from "./free-port.js";
import { startReady, supervise } from "./supervise.js";

export interface PrometheusServer {
  readonly port: number;
  readonly url: string;
  readonly pid: number;
  log(): Promise<string>;
  stop(): Promise<void>;
}

export interface PrometheusOptions {
  /** What to read: `target` is host:port; `path` is /metrics by default. */
  scrape: readonly { job: string; target: string; path?: string }[];
  /** A Prometheus duration. Default "200ms". */
  scrapeInterval?: string;
  /** Another one, for rules. Default: the same. */
  evaluationInterval?: string;
  /** Absolute paths. */
  ruleFiles?: readonly string[];
  /** host:port */
  alertmanager?: string;
  /** Takes native histograms, and asks for protobuf, which alone has them. Default false. */
  nativeHistograms?: boolean;
}

const CONFIGURE_AND_RUN = `printf %s "$1" >prometheus.yml && shift &&
exec "$@" --config.file=prometheus.yml --storage.tsdb.path=data`;

/**
 * Starts a Prometheus that scrapes the given targets and stores exemplars too. It takes its first sample some 5 s after
 * its start, whatever the interval (a fixed period inside Prometheus 2): start it early.
 */
export async function startPrometheus(options: PrometheusOptions): Promise<PrometheusServer> {
  const program = await findServer("prometheus");
  const interval = options.scrapeInterval ?? "200ms";
  // JSON is YAML.
  const config = JSON.stringify({
    global: {
      scrape_interval: interval,
      scrape_timeout: interval,
      evaluation_interval: options.evaluationInterval ?? interval,
    },
    rule_files: options.ruleFiles ?? [],
    alerting: {
      alertmanagers: options.alertmanager ? [{ static_configs: [{ targets: [options.alertmanager] }] }] : [],
    },
    scrape_configs: options.scrape.map(({ job, target, path }) => ({
      job_name: job,
      metrics_path: path ?? "/metrics",
      static_configs: [{ targets: [target] }],
    })),
  });
  const { server, details: port } = await startReady("prometheus", /ready to receive web requests/, async () => {
    const port = await freePort();
    const address = `--web.listen-address=127.0.0.1:${port}`;
    const features = options.nativeHistograms === true ? "exemplar-storage,native-histograms" : "exemplar-storage";
    const command = ["sh", "-c", CONFIGURE_AND_RUN, "sh", config, program, address, `--enable-feature=${features}`];
    return { server: await supervise("prometheus", command), details: port };
  });
  return { port, url: `http://127.0.0.1:${port}`, pid: server.pid, log: server.log, stop: server.stop };
}

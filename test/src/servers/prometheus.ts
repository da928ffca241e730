import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { findServer } from "./find-server.js";
import { freePort } from "./free-port.js";
import { makeFolder, startReady, supervise } from "./supervise.js";

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
}

/** Starts a Prometheus that scrapes the given targets and stores exemplars too. */
export async function startPrometheus(options: PrometheusOptions): Promise<PrometheusServer> {
  const program = await findServer("prometheus");
  const interval = options.scrapeInterval ?? "200ms";
  // JSON is YAML.
  const config = JSON.stringify({
    global: { scrape_interval: interval, scrape_timeout: interval, evaluation_interval: interval },
    scrape_configs: options.scrape.map(({ job, target, path }) => ({
      job_name: job,
      metrics_path: path ?? "/metrics",
      static_configs: [{ targets: [target] }],
    })),
  });
  const { server, details: port } = await startReady("prometheus", /ready to receive web requests/, async () => {
    const folder = await makeFolder("prometheus");
    const port = await freePort();
    const file = join(folder, "prometheus.yml");
    await writeFile(file, config);
    const command = [
      program,
      `--config.file=${file}`,
      `--storage.tsdb.path=${join(folder, "data")}`,
      `--web.listen-address=127.0.0.1:${port}`,
      "--enable-feature=exemplar-storage",
    ];
    return { server: await supervise(folder, command), details: port };
  });
  return { port, url: `http://127.0.0.1:${port}`, pid: server.pid, log: server.log, stop: server.stop };
}

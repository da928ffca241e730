import { type ChildProcess, execFile, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { type OtlpReceiver, startOtlpReceiver } from "@telltale/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { describeWith } from "./describe-with.js";
import { dashboardQueries, type Query, ruleQueries, variableQueries } from "./grafana-queries.js";
import { freePort, startAlertmanager, startPrometheus } from "./servers/index.js";

const root = new URL("../../", import.meta.url);
const CLI = fileURLToPath(new URL("packages/telltale/telltale.cjs", root));
const SHOP = fileURLToPath(new URL("examples/shop", root));

/** What has no data in a healthy first minute, and why. What has data after all must leave this list. */
const EXPECTED_EMPTY: Readonly<Record<string, string>> = {
  "Findings / What Telltale left out / A": "no label of the shop has too many values",
  "Findings / What Telltale left out / C": "the endpoint can show every metric of the shop",
  "Findings / What Telltale left out / D": "nothing in Telltale has failed",
  "Pools / Connections to services / C": "the shop asks other services by fetch, which has no limit",
  "Pools / Waiting for a service / A": "the shop asks other services by fetch, where nothing waits",
  "Pools / Waiting for a service / B": "the shop asks other services by fetch, where nothing waits",
  "alert RequestP99Grew warn: job_route:telltale_request_duration_seconds:p99_1h offset 1d":
    "the shop has no yesterday",
  "alert RequestP99Grew warn: job_route:telltale_requests:rate1h offset 1d": "the shop has no yesterday",
  "alert HeapLeak page: instance:telltale_heap_used:ratio offset 1h": "an hour ago there was no shop",
  "alert ThroughputFell warn: job_route:telltale_requests:rate1h offset 1d": "the shop has no yesterday",
  "alert ThroughputFell warn: job_route:telltale_requests:rate1h offset 1h": "an hour ago there was no shop",
  'alert NewNPlusOne warn: telltale_findings_total{telltale_finding_kind=~"n_plus_one|repeated_lookup", telltale_finding_accepted=""}[1d] offset 30m':
    "half an hour ago there was no shop",
};

interface Result {
  metric: Record<string, string>;
  value: [number, string];
}

describeWith(["postgres", "redis", "prometheus", "alertmanager"], "dashboards and rules on a shop under load", () => {
  const running = new AsyncDisposableStack();
  const folder = mkdtempSync(join(tmpdir(), "telltale-grafana-"));
  const received: { path: string; alerts: Alert[] }[] = [];
  let receiver: OtlpReceiver;
  let shopUrl = "";
  let metricsUrl = "";
  /** By what it asks the endpoint for. */
  const prometheus = { protobuf: "", openMetrics: "" };

  beforeAll(async () => {
    running.defer(() => rmSync(folder, { recursive: true, force: true }));
    await promisify(execFile)(process.execPath, [
      CLI,
      "grafana",
      "--out",
      folder,
      "--grafana",
      "http://grafana.example/",
    ]);
    const [port, closedPort, metricsPort] = await Promise.all([freePort(), freePort(), freePort()]);
    const webhook = await startWebhook(received);
    running.defer(() => void webhook.server.close());
    const example = readFileSync(join(folder, "alertmanager/alertmanager.yaml"), "utf8");
    const config = example
      .replaceAll("http://localhost:5001", webhook.url)
      .replaceAll(/group_wait: \d+s/g, "group_wait: 1s");
    const alertmanager = await startAlertmanager(config);
    running.defer(alertmanager.stop);

    receiver = await startOtlpReceiver();
    running.defer(() => receiver.close());
    shopUrl = `http://127.0.0.1:${port}`;
    metricsUrl = `http://127.0.0.1:${metricsPort}/metrics`;
    const options = {
      scrape: [{ job: "shop", target: `127.0.0.1:${metricsPort}` }],
      scrapeInterval: "500ms",
      evaluationInterval: "1s",
      ruleFiles: [join(folder, "prometheus/telltale.rules.yaml")],
    };
    const first = await startPrometheus({
      ...options,
      nativeHistograms: true,
      alertmanager: new URL(alertmanager.url).host,
    });
    running.defer(first.stop);
    const second = await startPrometheus(options);
    running.defer(second.stop);
    prometheus.protobuf = first.url;
    prometheus.openMetrics = second.url;

    const demo = startDemo(folder, { port, closedPort, metricsPort, endpoint: receiver.url });
    running.defer(() => stopDemo(demo));
    await demo.loaded;
    await misbehave(shopUrl);
    // Two scrapes and an evaluation.
    await sleep(2_500);
  }, 90_000);

  afterAll(() => running.disposeAsync());

  const variables = { service: "shop", instance: ".*", route: ".*", __rate_interval: "1m", __range: "2m" };
  const queries = (): Query[] => [
    ...dashboardQueries(join(folder, "dashboards"), variables),
    ...ruleQueries(join(folder, "prometheus/telltale.rules.yaml")),
  ];

  describe.each(["protobuf", "openMetrics"] as const)("scraped as %s", (format) => {
    const ask = async <Data>(path: string, parameters: Record<string, string>): Promise<Data> => {
      const response = await fetch(`${prometheus[format]}/api/v1/${path}?${new URLSearchParams(parameters)}`);
      const { data, error } = (await response.json()) as { data: Data; error?: string };
      if (error !== undefined) throw new Error(`${error} in ${JSON.stringify(parameters)}`);
      return data;
    };
    const query = async (expression: string): Promise<Result[]> =>
      (await ask<{ result: Result[] }>("query", { query: expression })).result;

    test("every query has data, or a reason to have none", async () => {
      const all = queries();
      expect(all.length).toBeGreaterThan(150);
      const empty: string[] = [];
      const wrong: string[] = [];
      for (const { name, expression, labels, unit } of all) {
        const result = await query(expression);
        const values = result.map(({ value }) => Number(value[1]));
        if (!values.some((value) => Number.isFinite(value))) empty.push(name);
        else if (!result.some(({ metric }) => labels.every((label) => label in metric))) {
          wrong.push(`${name}: no series has ${labels.join(" and ")}`);
        } else if (unit === "percentunit" && values.some((value) => value < 0 || value > 1.001)) {
          wrong.push(`${name}: no share: ${values.join(" ")}`);
        }
      }
      expect(wrong).toEqual([]);
      expect(empty.toSorted()).toEqual(Object.keys(EXPECTED_EMPTY).toSorted());
    });

    test("every variable has values", async () => {
      const asked = variableQueries(join(folder, "dashboards"));
      expect(asked.length).toBeGreaterThan(12);
      for (const { name, selector, label } of asked) {
        const values = await ask<string[]>(`label/${label}/values`, {
          "match[]": selector.replaceAll("$service", "shop"),
        });
        expect(values, name).not.toEqual([]);
      }
    });

    test("exemplars lead to traces that the collector has", async () => {
      const withExemplars = queries().filter(({ exemplars }) => exemplars);
      expect(withExemplars.map(({ name }) => name).toSorted()).toEqual([
        "Databases / Slow queries / A",
        "Databases / p95 by query / A",
        "Findings / Findings by kind / A",
        "Findings / N+1 by route / A",
        "Findings / Slow queries by query / A",
        "Service / Duration / C",
        "Service / p95 by route / A",
        "Service / p95 of requests sent / A",
      ]);
      const now = Date.now() / 1000;
      for (const { name, expression } of withExemplars) {
        const series = await ask<{ exemplars: { labels: Record<string, string> }[] }[]>("query_exemplars", {
          query: expression,
          start: String(now - 300),
          end: String(now),
        });
        const ids = series.flatMap(({ exemplars }) => exemplars.map(({ labels }) => labels["trace_id"] ?? "none"));
        expect(ids, name).not.toEqual([]);
        await receiver.waitForSpans((spans) => {
          const traces = new Set(spans.map(({ traceId }) => traceId));
          return ids.every((id) => traces.has(id));
        });
      }
    });
  });

  test("promtool has no objection to the page", async () => {
    const page = await (await fetch(metricsUrl)).text();
    const { status, stderr } = spawnSync("promtool", ["check", "metrics"], { input: page, encoding: "utf8" });
    // 3: advice about names, which the conventions gave.
    expect(status === 0 || status === 3, stderr).toBe(true);
  });

  test("an alert reaches the webhook through Alertmanager, with what to do", { timeout: 30_000 }, async () => {
    const arrived = (name: string) =>
      received
        .flatMap(({ path, alerts }) => alerts.map((alert) => ({ path, ...alert })))
        .find(({ labels }) => labels["alertname"] === name);
    await expect.poll(() => arrived("NewNPlusOne"), { timeout: 20_000 }).toBeDefined();
    await expect.poll(() => arrived("PoolTimeouts"), { timeout: 20_000 }).toBeDefined();

    expect(arrived("NewNPlusOne")).toMatchObject({
      path: "/warn",
      status: "firing",
      labels: { job: "shop", severity: "warn", http_route: "/orders", db_system_name: "postgresql" },
      annotations: {
        summary: expect.stringMatching(
          /^\/orders of shop runs one postgresql query again and again in a request \(N\+1\)/,
        ),
        runbook: expect.stringContaining("one query"),
        dashboard: "http://grafana.example/d/telltale-findings?var-service=shop&var-route=%2Forders",
      },
    });
    const timeouts = arrived("PoolTimeouts");
    const instance = new URL(metricsUrl).host;
    expect(timeouts).toMatchObject({ path: "/page", labels: { job: "shop", severity: "page", instance } });
    expect(timeouts?.annotations["summary"]).toMatch(
      new RegExp(`^Requests of shop on ${instance} waited in vain for pool \\S+$`),
    );
    for (const { alerts } of received)
      for (const alert of alerts) expect(JSON.stringify(alert)).not.toContain("error expanding");
  });
});

interface Alert {
  status: string;
  labels: Record<string, string>;
  annotations: Record<string, string>;
}

async function startWebhook(received: { path: string; alerts: Alert[] }[]): Promise<{ server: Server; url: string }> {
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk: Buffer) => (body += chunk.toString()));
    request.on("end", () => {
      const { alerts } = JSON.parse(body) as { alerts: Alert[] };
      received.push({ path: request.url ?? "", alerts });
      response.end();
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

/** In the shop only: sends requests, to the shop itself and to nobody, opens a connection for each of its queries, and lends workers. */
const NEIGHBOUR = `
import { createRequire } from "node:module";
if (process.argv[1]?.endsWith("server.js")) {
  const require = createRequire(process.argv[1]);
  const { Pool } = require("pg");
  const workers = require("telltale").observePool({ name: "workers", read: () => ({ used: 1, idle: 1, pending: 0, limit: 2 }) });
  const pool = new Pool({ connectionString: process.env.DATABASE_URL, maxUses: 1, allowExitOnIdle: true });
  pool.on("error", () => {});
  const ask = (url) => fetch(url).then((response) => response.arrayBuffer(), () => {});
  setInterval(() => {
    void ask("http://127.0.0.1:" + process.env.PORT + "/health");
    void ask("http://127.0.0.1:" + process.env.CLOSED_PORT);
    pool.query("SELECT 1").catch(() => {});
    setTimeout(workers.asks().got(), 5);
  }, 200).unref();
}`;

/** `npm run demo`, which starts PostgreSQL, Redis and the shop, visits it, and leaves it up. */
function startDemo(
  folder: string,
  {
    port,
    closedPort,
    metricsPort,
    endpoint,
  }: { port: number; closedPort: number; metricsPort: number; endpoint: string },
) {
  const neighbour = join(folder, "neighbour.mjs");
  writeFileSync(neighbour, NEIGHBOUR);
  const demo = spawn(process.execPath, ["demo/demo.js", "--seconds=6"], {
    cwd: SHOP,
    env: {
      ...process.env,
      NODE_OPTIONS: `--import ${neighbour}`,
      PORT: String(port),
      CLOSED_PORT: String(closedPort),
      OTEL_EXPORTER_PROMETHEUS_PORT: String(metricsPort),
      OTEL_EXPORTER_OTLP_ENDPOINT: endpoint,
      OTEL_SERVICE_NAME: "shop",
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let said = "";
  const closed = once(demo, "close");
  const loaded = new Promise<void>((resolve, reject) => {
    const hear = (chunk: Buffer) => {
      said += chunk.toString();
      if (said.includes("Ctrl-C stops everything")) resolve();
    };
    demo.stdout.on("data", hear);
    demo.stderr.on("data", hear);
    void closed.then(() => reject(new Error(`the demo ended:\n${said}`)));
  });
  return { demo, loaded, closed };
}

async function stopDemo({
  demo,
  loaded,
  closed,
}: {
  demo: ChildProcess;
  loaded: Promise<void>;
  closed: Promise<unknown>;
}) {
  loaded.catch(() => {});
  demo.kill("SIGTERM");
  await closed;
}

/** What a healthy load does not show: time-outs of the pool, errors of the database, failed requests. */
async function misbehave(shop: string): Promise<void> {
  const order = { customerId: 999_999, card: "4111111111111111", items: [{ productId: 1, quantity: 1 }] };
  const checkout = () =>
    fetch(`${shop}/checkout`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(order),
    });
  const statuses = await Promise.all(
    [checkout(), checkout(), checkout()].map(async (response) => (await response).status),
  );
  expect(statuses).toEqual([500, 500, 500]);
  // Five connections, each held for 400 ms, serve about 60 in the 5 s that callers wait.
  const reports = await Promise.all(
    Array.from({ length: 90 }, () => fetch(`${shop}/report`).then(({ status }) => status)),
  );
  expect(new Set(reports)).toEqual(new Set([200, 500]));
}

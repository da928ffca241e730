import { type ChildProcess, spawn } from "node:child_process";
import { createRequire } from "node:module";
import { setTimeout as pause } from "node:timers/promises";
import { drawTrace, type OtlpReceiver, type ReceivedSpan, startOtlpReceiver, waitFor } from "@telltale/testkit";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { describeWith } from "./describe-with.js";
import { fixture, plainEnvironment, REGISTER } from "./run-program.js";
import {
  type PostgresServer,
  type RedisServer,
  serverAvailable,
  startPostgres,
  startPrometheus,
  startRedis,
  testNodes,
} from "./servers/index.js";

const { Client } = createRequire(import.meta.url)("pg") as typeof import("pg");
const { Redis } = createRequire(import.meta.url)("ioredis") as typeof import("ioredis");

interface Service {
  readonly url: string;
  readonly child: ChildProcess;
  readonly stderr: () => string;
  stop(): Promise<number | null>;
}

const nodes = await testNodes();

describeWith(["postgres", "redis-server"], "an unmodified service", () => {
  let postgres: PostgresServer;
  let redis: RedisServer;
  let receiver: OtlpReceiver;

  beforeAll(async () => {
    [postgres, redis, receiver] = await Promise.all([startPostgres(), startRedis({ own: true }), startOtlpReceiver()]);
    const client = new Client(postgres.url);
    await client.connect();
    await client.query("CREATE TABLE orders AS SELECT id, id * 10 AS total FROM generate_series(1, 100) id");
    await client.end();
  });
  afterAll(async () => {
    await Promise.all([receiver?.close(), postgres?.stop(), redis?.stop()]);
  });

  async function startService(
    node: string,
    program: string,
    how: string,
    env: Record<string, string> = {},
  ): Promise<Service> {
    const byOptions = how === "NODE_OPTIONS";
    const flag = byOptions ? [] : [how, REGISTER];
    const child = spawn(node, [...flag, fixture(`service/${program}`)], {
      env: {
        ...plainEnvironment(),
        DATABASE_URL: postgres.url,
        REDIS_URL: redis.url,
        OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
        OTEL_EXPORTER_PROMETHEUS_PORT: "0",
        OTEL_BSP_SCHEDULE_DELAY: "50",
        TELLTALE_FINDINGS_LOG: "true",
        ...(byOptions && { NODE_OPTIONS: `--require ${REGISTER}` }),
        ...env,
      },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
    await waitFor(
      () => stdout.includes("listening on") && (stderr.includes("watches") || env["TELLTALE_LOG"] === "silent"),
      () => `the service; it said: ${stdout}${stderr}`,
    );
    return {
      url: `http://127.0.0.1:${/listening on (\d+)/.exec(stdout)?.[1]}`,
      child,
      stderr: () => stderr,
      async stop() {
        child.kill("SIGTERM");
        const timer = setTimeout(() => child.kill("SIGKILL"), 10_000);
        await waitFor(() => child.exitCode !== null || child.signalCode !== null, "the service to end", 12_000);
        clearTimeout(timer);
        return child.exitCode;
      },
    };
  }

  /** Name, kind where it is not told by the name, and what matters of the attributes. */
  const label = (span: ReceivedSpan): string => `${span.name} (${span.kind})`;
  const traceOf = async (service: Service, path: string, spans: number, init?: RequestInit): Promise<string> => {
    receiver.reset();
    await (await fetch(service.url + path, init)).arrayBuffer();
    await receiver.waitForSpans((received) => received.length >= spans);
    await pause(100);
    return drawTrace(receiver.spans, (span) => label(span as ReceivedSpan));
  };
  const metricsOf = async (service: Service): Promise<string> => {
    const url = /metrics: (http:\S+)/.exec(service.stderr())?.[1] ?? "";
    return (await fetch(url)).text();
  };

  // The stock SDK's tracer must give the same: every way on one Node.
  const ways = nodes.flatMap(({ version, binary }, n) =>
    (n === 0 ? ["telltale", "sdk"] : ["telltale"]).flatMap((engine) =>
      ["app.cjs", "app.mjs"].flatMap((program) =>
        ["--require", "--import", "NODE_OPTIONS"].map((how) => ({ version, binary, engine, program, how })),
      ),
    ),
  );

  describe.each(ways)("$program with $how on Node $version, engine $engine", ({ binary, program, how, engine }) => {
    let service: Service;
    beforeAll(async () => {
      const client = new Client(postgres.url);
      await client.connect();
      await client.query("UPDATE orders SET total = id * 10");
      await client.end();
      const cache = new Redis(redis.url);
      await cache.flushall();
      cache.disconnect();
      service = await startService(binary, program, how, { TELLTALE_ENGINE: engine });
    });
    beforeEach(() => receiver.reset());
    afterAll(() => service.stop());

    test("a cache-aside read: miss, query, store; then a hit", async () => {
      expect(await traceOf(service, "/orders/1", 4)).toBe(
        ["GET /orders/:id (server)", "  GET (client)", "  SELECT orders (client)", "  SET (client)"].join("\n"),
      );
      expect(await traceOf(service, "/orders/1", 2)).toBe("GET /orders/:id (server)\n  GET (client)");
    });

    test("a transaction on a connection of its own, and a MULTI", async () => {
      expect(await traceOf(service, "/orders/50/pay", 8, { method: "POST" })).toBe(
        [
          "POST /orders/:id/pay (server)",
          "  BEGIN (client)",
          "  UPDATE orders (client)",
          "  COMMIT (client)",
          // One batch on the wire: they begin together, and are drawn in the order they are answered.
          "  MULTI (client)",
          "  DEL (client)",
          "  INCR (client)",
          "  EXEC (client)",
        ].join("\n"),
      );
    });

    test("a request to itself: client and server spans in one trace", async () => {
      expect(await traceOf(service, "/upstream", 6)).toMatch(
        /^GET \/upstream \(server\)\n {2}GET \(client\)\n {4}GET \/orders\/:id \(server\)\n {6}GET \(client\)/,
      );
      expect(new Set(receiver.spans.map(({ traceId }) => traceId)).size).toBe(1);
    });

    test("callbacks keep their parent, and no literal leaves the process", async () => {
      expect(await traceOf(service, "/callback", 3)).toBe(
        ["GET /callback (server)", "  SELECT (client)", "  MGET (client)"].join("\n"),
      );
      const query = receiver.spans.find(({ name }) => name === "SELECT");
      expect(query?.attributes["db.query.text"]).not.toContain("secret");
      expect(query?.attributes).toMatchObject({ "db.system.name": "postgresql", "db.response.returned_rows": 1 });
    });

    test("an incoming trace goes on", async () => {
      const traceId = "0af7651916cd43dd8448eb211c80319c";
      await traceOf(service, "/slow", 2, { headers: { traceparent: `00-${traceId}-b7ad6b7169203331-01` } });
      expect(receiver.spans.map((span) => span.traceId)).toEqual([traceId, traceId]);
    });

    test("an error is on the query and on the request, once each", async () => {
      await traceOf(service, "/broken", 2);
      const query = receiver.spans.find(({ name }) => name === "SELECT no_such_table");
      expect(query?.status.code).toBe("error");
      expect(query?.attributes).toMatchObject({ "error.type": "42P01", "db.response.status_code": "42P01" });
      const request = receiver.spans.find(({ kind }) => kind === "server");
      expect(request?.attributes).toMatchObject({ "http.response.status_code": 500, "error.type": "500" });
    });

    test("slow queries and N+1 are findings, in the log, on the spans and in the metrics", async () => {
      await traceOf(service, "/slow", 2);
      const slow = receiver.spans.find(({ kind }) => kind === "client");
      expect(slow?.attributes["telltale.slow.reason"]).toBe("threshold");
      await traceOf(service, "/n-plus-one", 11);
      const request = receiver.spans.find(({ kind }) => kind === "server");
      expect(request?.attributes).toMatchObject({
        "telltale.finding.kind": "n_plus_one",
        "telltale.finding.count": 10,
      });
      const log = service
        .stderr()
        .split("\n")
        .filter((line) => line.startsWith("{"))
        .map((line) => JSON.parse(line) as Record<string, unknown>);
      expect(log).toContainEqual(
        expect.objectContaining({
          kind: "n_plus_one",
          endpoint: "GET /n-plus-one",
          count: 1,
          calls: 10,
          trace_id: request?.traceId,
        }),
      );
      expect(log).toContainEqual(
        expect.objectContaining({ kind: "slow_query", endpoint: "GET /slow", against_ms: 100 }),
      );
      const metrics = await metricsOf(service);
      expect(metrics).toMatch(/telltale_findings_total\{[^}]*telltale_finding_kind="n_plus_one"[^}]*\} 1\n/);
      expect(metrics).toMatch(/db_client_connection_count\{[^}]*db_client_connection_state="used"[^}]*\} 0\n/);
      expect(metrics).toMatch(
        /telltale_cache_lookups_total\{[^}]*telltale_cache_name="order"[^}]*telltale_cache_result="hit"[^}]*\} \d+\n/,
      );
    });

    test("it ends by itself on SIGTERM, as it would alone", async () => {
      expect(await service.stop()).toBe(0);
    });
  });

  test("a real Prometheus reads the endpoint, and has the same figures", { timeout: 60_000 }, async () => {
    if (!(await serverAvailable("prometheus"))) return;
    receiver.reset();
    const service = await startService(process.execPath, "app.cjs", "--require");
    const target = new URL(/metrics: (http:\S+)/.exec(service.stderr())?.[1] ?? "").host;
    const prometheus = await startPrometheus({ scrape: [{ job: "service", target }], scrapeInterval: "200ms" });
    for (let n = 0; n < 7; n++) await (await fetch(`${service.url}/orders/77`)).arrayBuffer();
    const ask = async (query: string): Promise<string | undefined> => {
      const answer = await fetch(`${prometheus.url}/api/v1/query?query=${encodeURIComponent(query)}`);
      const { data } = (await answer.json()) as { data: { result: { value: [number, string] }[] } };
      return data.result[0]?.value[1];
    };
    // The first read misses the cache and queries, the others hit.
    const expected = {
      'http_server_request_duration_seconds_count{http_route="/orders/:id"}': "7",
      'telltale_cache_lookups_total{telltale_cache_name="order",telltale_cache_result="hit"}': "6",
      'telltale_cache_lookups_total{telltale_cache_name="order",telltale_cache_result="miss"}': "1",
      'db_client_operation_duration_seconds_count{db_query_summary="SELECT orders"}': "1",
      'target_info{service_name="fixture-service"}': "1",
    };
    for (const [query, value] of Object.entries(expected)) {
      await expect.poll(() => ask(query), { timeout: 30_000 }).toBe(value);
    }
    // It has read many times by now, and none of that is a request of the service.
    await expect.poll(() => ask('count_over_time(up{job="service"}[1m]) > bool 5'), { timeout: 30_000 }).toBe("1");
    expect(await ask("sum(http_server_request_duration_seconds_count)")).toBe("7");
    const parameters = new URLSearchParams({
      query: 'http_server_request_duration_seconds_bucket{http_route="/orders/:id"}',
      start: String(Date.now() / 1000 - 300),
      end: String(Date.now() / 1000 + 10),
    });
    const answer = await fetch(`${prometheus.url}/api/v1/query_exemplars?${parameters.toString()}`);
    const { data } = (await answer.json()) as { data: { exemplars: { labels: Record<string, string> }[] }[] };
    const exemplars = data.flatMap((series) => series.exemplars);
    await prometheus.stop();
    await service.stop();
    const served = receiver.spans.filter(({ kind }) => kind === "server");
    expect(served.map(({ name }) => name)).toEqual(Array.from({ length: 7 }, () => "GET /orders/:id"));
    expect(exemplars.length).toBeGreaterThan(0);
    for (const { labels } of exemplars) {
      expect(served).toContainEqual(
        expect.objectContaining({ traceId: labels["trace_id"], spanId: labels["span_id"] }),
      );
    }
  });

  test.each(["telltale", "sdk"])("findings and metrics do not need sampling, engine %s", async (engine) => {
    const service = await startService(process.execPath, "app.cjs", "--require", {
      OTEL_TRACES_SAMPLER: "always_off",
      TELLTALE_ENGINE: engine,
    });
    receiver.reset();
    for (const path of ["/n-plus-one", "/slow"]) await (await fetch(service.url + path)).arrayBuffer();
    await waitFor(() => service.stderr().includes('"slow_query"'), "the findings");
    expect(service.stderr()).toContain('"n_plus_one"');
    const metrics = await metricsOf(service);
    expect(metrics).toMatch(/http_server_request_duration_seconds_count\{[^}]*http_route="\/slow"[^}]*\} 1\n/);
    await service.stop();
    expect(receiver.spans).toEqual([]);
  });

  const behaviours = ["dead", "hang", "slow", 500] as const;
  test.each(behaviours.flatMap((behaviour) => ["telltale", "sdk"].map((engine) => [behaviour, engine] as const)))(
    "a collector that is %s is one line, and nothing else, engine %s",
    async (behaviour, engine) => {
      const collector = await startOtlpReceiver({ behaviour: behaviour === "dead" ? "ok" : behaviour });
      if (behaviour === "dead") await collector.close();
      const service = await startService(process.execPath, "app.mjs", "--import", {
        TELLTALE_ENGINE: engine,
        OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
        OTEL_EXPORTER_OTLP_TIMEOUT: "500",
        OTEL_BSP_SCHEDULE_DELAY: "20",
        TELLTALE_FINDINGS_LOG: "false",
      });
      for (let n = 0; n < 40; n++) {
        expect((await fetch(`${service.url}/orders/${n + 1}`)).status).toBe(200);
        await pause(20);
      }
      expect(await service.stop()).toBe(0);
      await collector.close();
      const lines = service
        .stderr()
        .split("\n")
        .filter((line) => line !== "");
      expect(lines.filter((line) => line.includes(" watches "))).toHaveLength(1);
      expect(lines.filter((line) => !line.includes(" watches "))).toEqual([
        expect.stringMatching(
          /^telltale: cannot deliver traces to http:\/\/127\.0\.0\.1:\d+\/v1\/traces \(.+\); still trying, without another word; OTEL_TRACES_EXPORTER=none/,
        ),
      ]);
    },
  );
});

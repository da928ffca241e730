import { execFile } from "node:child_process";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { networkInterfaces } from "node:os";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { FindingRecord } from "@telltale/core";
import { type OtlpReceiver, type ReceivedSpan, startOtlpReceiver, waitFor } from "@telltale/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { describeWith } from "./describe-with.js";
import { fixture, runProgram } from "./run-program.js";
import { freePort, type PostgresServer, type RedisServer, startPostgres, startRedis } from "./servers/index.js";
import { type RunningProgram, startProgram } from "./start-program.js";

const shop = (file: string): string => fileURLToPath(new URL(`../../examples/shop/src/${file}`, import.meta.url));
const CLI = fileURLToPath(new URL("../../packages/telltale/telltale.cjs", import.meta.url));
const report = (...args: string[]) => runProgram(CLI, { args: ["report", ...args] });

/** A log record as OTLP has it in JSON. */
interface LogRecord {
  readonly eventName?: string;
  readonly severityNumber?: number;
  readonly body?: { readonly stringValue?: string };
  readonly traceId?: string;
  readonly attributes: readonly { readonly key: string; readonly value: Record<string, unknown> }[];
}
interface LogRequest {
  readonly resourceLogs: readonly { readonly scopeLogs: readonly { readonly logRecords: readonly LogRecord[] }[] }[];
}

/** A collector of logs, which arrive as JSON. */
async function startLogReceiver(): Promise<{ readonly url: string; readonly records: LogRecord[]; close(): void }> {
  const records: LogRecord[] = [];
  const server: Server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const { resourceLogs } = JSON.parse(Buffer.concat(chunks).toString()) as LogRequest;
    records.push(...resourceLogs.flatMap(({ scopeLogs }) => scopeLogs.flatMap(({ logRecords }) => logRecords)));
    response.writeHead(200, { "content-type": "application/json" }).end("{}");
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const close = (): void => {
    server.closeAllConnections();
    server.close();
  };
  return { url: `http://127.0.0.1:${port}/v1/logs`, records, close };
}

describeWith(["postgres", "redis"], "what the shop's findings come out as", () => {
  let postgres: PostgresServer;
  let redis: RedisServer;
  let receiver: OtlpReceiver;
  let logs: Awaited<ReturnType<typeof startLogReceiver>>;
  let program: RunningProgram;
  let metrics = "";

  beforeAll(async () => {
    [postgres, redis, receiver, logs] = await Promise.all([
      startPostgres(),
      startRedis(),
      startOtlpReceiver(),
      startLogReceiver(),
    ]);
    await promisify(execFile)(process.execPath, [shop("seed.js")], {
      env: { ...process.env, DATABASE_URL: postgres.url },
    });
    const port = await freePort();
    metrics = `http://127.0.0.1:${port}`;
    program = startProgram(shop("server.js"), {
      env: {
        NODE_OPTIONS: `--require ${fixture("findings/hear.cjs")}`,
        DATABASE_URL: postgres.url,
        REDIS_URL: redis.url,
        PORT: "0",
        OTEL_SERVICE_NAME: "shop",
        OTEL_EXPORTER_PROMETHEUS_PORT: String(port),
        OTEL_TRACES_EXPORTER: "otlp",
        OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
        OTEL_BSP_SCHEDULE_DELAY: "50",
        OTEL_LOGS_EXPORTER: "otlp",
        OTEL_EXPORTER_OTLP_LOGS_PROTOCOL: "http/json",
        OTEL_EXPORTER_OTLP_LOGS_ENDPOINT: logs.url,
        OTEL_BLRP_SCHEDULE_DELAY: "50",
        TELLTALE_FINDINGS_LOG: "true",
        // However fast the machine is.
        TELLTALE_SLOW_QUERY_MS: "50",
      },
    });
    const [[, url = ""] = []] = await program.said(/^shop listens on (http:\S+)$/, 1);
    await program.said(/watches/, 1);
    for (let n = 0; n < 3; n++) {
      for (const path of ["/orders", "/search?q=copper+lantern", "/orders-batched"]) {
        const response = await fetch(url + path);
        await response.arrayBuffer();
        expect(response.status).toBe(200);
      }
    }
  });
  afterAll(async () => {
    await program?.kill();
    logs?.close();
    await Promise.all([receiver?.close(), postgres?.stop(), redis?.stop()]);
  });

  /** What is to be found, and where; nothing else may be said of these routes. */
  const cases = [
    { kind: "n_plus_one", route: "/orders", query: /FROM order_items JOIN products/, span: "GET /orders" },
    { kind: "slow_query", route: "/search", query: /to_tsvector/, span: "SELECT products" },
  ] as const;

  describe.each(cases)("$kind", ({ kind, route, query, span: spanName }) => {
    const found = ({ kind: one, route: at }: { kind?: unknown; route?: unknown }) => one === kind && at === route;

    test("a metric counts each", async () => {
      const page = await (await fetch(`${metrics}/metrics`)).text();
      const labels = [`telltale_finding_kind="${kind}"`, `http_route="${route}"`];
      const line = page.split("\n").find((one) => labels.every((label) => one.includes(label)));
      expect(line).toMatch(/^telltale_findings_total\{.*\} 3$/);
    });

    test("the span says so, and an event on it the rest", async () => {
      const has = ({ events }: ReceivedSpan) =>
        events.some(
          ({ attributes }) =>
            attributes["telltale.finding.kind"] === kind &&
            String(attributes["telltale.finding.title"]).includes(`GET ${route}`),
        );
      const spans = await receiver.waitForSpans((all) => all.filter(has).length >= 3);
      for (const { name, attributes, events } of spans.filter(has)) {
        expect(name).toBe(spanName);
        expect(attributes["telltale.finding.kind"]).toBe(kind);
        expect(events.filter((one) => one.attributes["telltale.finding.kind"] === kind)).toEqual([
          {
            name: "telltale.finding",
            attributes: expect.objectContaining({
              "telltale.finding.severity": "warning",
              "telltale.finding.title": expect.stringContaining(`GET ${route}`),
              "telltale.finding.cause": expect.stringMatching(/\.$/),
              "telltale.finding.advice": expect.stringMatching(/\.$/),
              "telltale.finding.duration_ms": expect.any(Number),
            }),
          },
        ]);
      }
    });

    test("the logs have an event, once, in the trace", async () => {
      await waitFor(() => logs.records.some((record) => valueOf(record, "telltale.finding.kind") === kind), "a log");
      const records = logs.records.filter(
        (one) => valueOf(one, "telltale.finding.kind") === kind && valueOf(one, "http.route") === route,
      );
      expect(records).toHaveLength(1);
      const [record] = records as [LogRecord];
      expect(record).toMatchObject({ eventName: "telltale.finding", severityNumber: 13 });
      expect(record.body?.stringValue).toContain(`GET ${route}`);
      expect(valueOf(record, "db.query.text")).toMatch(query);
      expect(valueOf(record, "telltale.finding.page")).toBe(`docs/findings/${kind}.md`);
      expect(receiver.spans.map(({ traceId }) => traceId)).toContain(record.traceId);
    });

    test("onFinding hears of it, once", async () => {
      const heard = program
        .lines()
        .filter((line) => line.startsWith("heard "))
        .map((line) => JSON.parse(line.slice(6)) as FindingRecord);
      const mine = heard.filter(found);
      expect(mine).toHaveLength(1);
      expect(mine[0]).toMatchObject({ kind, severity: "warning", count: 1, endpoint: `GET ${route}`, sampled: true });
      expect(mine[0]?.queryText).toMatch(query);
    });

    test("a line on stderr says it, once", () => {
      const lines = program
        .stderr()
        .split("\n")
        .filter((line) => line.startsWith('{"telltale":"finding"'))
        .map((line) => JSON.parse(line) as { kind: string; endpoint: string });
      expect(lines.filter((line) => line.kind === kind && line.endpoint === `GET ${route}`)).toHaveLength(1);
    });

    test("/findings and telltale report --json have it, counted", async () => {
      const page = (await (await fetch(`${metrics}/findings`)).json()) as { findings: FindingRecord[] };
      const { code, stdout } = await report(metrics, "--json", "--kind", kind);
      const read = JSON.parse(stdout) as { findings: FindingRecord[] };
      expect(code).toBe(0);
      for (const { findings } of [page, read]) {
        const [finding, ...more] = findings.filter(found);
        expect(more).toEqual([]);
        expect(finding).toMatchObject({ kind, severity: "warning", count: 3, endpoint: `GET ${route}` });
        expect(finding?.lostMs).toBeGreaterThan(0);
        expect(finding?.queryText).toMatch(query);
      }
      expect(new Set(read.findings.map((one) => one.kind))).toEqual(new Set([kind]));
    });

    test("telltale report tells a person", async () => {
      const { code, stdout, stderr } = await report(metrics);
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      expect(stdout).toMatch(new RegExp(`(N\\+1|Slow query) in GET ${route} .* lost · 3 times`));
      expect(stdout).toMatch(query);
      expect(stdout).toContain(`docs/findings/${kind}.md`);
    });
  });

  test("the cure is not found", async () => {
    const { stdout } = await report(metrics, "--json", "--limit", "0");
    expect(stdout).not.toContain("orders-batched");
  });

  test("the query shapes are ranked by their time, with their calls", async () => {
    const page = (await (await fetch(`${metrics}/findings`)).json()) as {
      queries: { querySummary: string; calls: number; totalMs: number; share: number }[];
    };
    const times = page.queries.map(({ totalMs }) => totalMs);
    expect(times).toEqual(times.toSorted((a, b) => b - a));
    // Three requests, 25 orders each.
    expect(page.queries.map(({ querySummary, calls }) => [querySummary, calls])).toContainEqual([
      "SELECT order_items products",
      75,
    ]);
    expect(page.queries.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1, 2);
  });

  test("a callback that throws, or rejects, is said once, counted, and harms nothing", async () => {
    const said = program
      .stderr()
      .split("\n")
      .filter((line) => line.includes("onFinding"));
    expect(said.toSorted()).toEqual([
      "telltale: onFinding callback failed: bad ears",
      "telltale: onFinding callback failed: bad promise",
    ]);
    const heard = program.lines().filter((line) => line.startsWith("heard ")).length;
    const page = await (await fetch(`${metrics}/metrics`)).text();
    expect(page).toMatch(
      new RegExp(`^telltale_instrumentation_errors_total\\{telltale_part="onFinding"\\} ${heard * 2}$`, "m"),
    );
  });
});

describeWith(["postgres"], "a query that means harm", () => {
  const HOSTILE = "a\u001b[2J\u001b]0;owned\u0007\u009b31m</script><img src=x onerror=alert(1)>\u202eevil\u2028\r\b";
  let postgres: PostgresServer;
  let receiver: OtlpReceiver;
  let program: RunningProgram;
  let port = 0;

  beforeAll(async () => {
    [postgres, receiver, port] = await Promise.all([startPostgres(), startOtlpReceiver(), freePort()]);
    program = startProgram(fixture("findings/hostile.cjs"), {
      env: {
        DATABASE_URL: postgres.url,
        HOSTILE,
        OTEL_EXPORTER_PROMETHEUS_PORT: String(port),
        OTEL_EXPORTER_PROMETHEUS_HOST: "0.0.0.0",
        OTEL_TRACES_EXPORTER: "otlp",
        OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
        OTEL_BSP_SCHEDULE_DELAY: "50",
        // Nothing is sampled; a finding keeps its trace.
        OTEL_TRACES_SAMPLER: "always_off",
        TELLTALE_TRACES_KEEP: "finding",
        TELLTALE_FINDINGS_LOG: "true",
      },
    });
    const [[, app = ""] = []] = await program.said(/^listening (\d+)$/, 1);
    await program.said(/watches/, 1);
    expect((await fetch(`http://127.0.0.1:${app}/`)).status).toBe(200);
    await program.said(/"telltale":"finding"/, 1);
  });
  afterAll(async () => {
    await program?.kill();
    await Promise.all([receiver?.close(), postgres?.stop()]);
  });

  const inert = (text: string) => expect(text.replaceAll("\n", "")).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);

  test("acts on nobody: not as JSON, not on stderr, not in the report", async () => {
    const page = await (await fetch(`http://127.0.0.1:${port}/findings`)).text();
    inert(page);
    expect(page).not.toContain("<");
    const { findings } = JSON.parse(page) as { findings: FindingRecord[] };
    const slow = findings.find(({ kind }) => kind === "slow_query");
    expect(slow?.queryText).toContain("onerror=alert(1)>");
    expect(slow?.queryText).toContain("\u001b[2J");
    for (const args of [[], ["--json"]]) {
      const { code, stdout, stderr } = await report(String(port), ...args);
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      inert(stdout);
      expect(stdout).toContain("onerror=alert(1)>");
    }
    const lines = program
      .stderr()
      .split("\n")
      .filter((line) => line.startsWith('{"telltale"'));
    expect(lines.length).toBeGreaterThan(0);
    for (const line of lines) {
      inert(line);
      expect(line).not.toContain("<");
    }
  });

  test("at 0 % sampling its span is kept, with the event", async () => {
    const has = ({ events }: ReceivedSpan) => events.some(({ name }) => name === "telltale.finding");
    const spans = await receiver.waitForSpans((all) => all.some(has));
    expect(spans.find(has)?.attributes).toMatchObject({
      "telltale.finding.kind": "slow_query",
      "telltale.kept": "finding",
    });
  });

  const [address] = Object.values(networkInterfaces())
    .flat()
    .flatMap((one) => (one?.family === "IPv4" && !one.internal ? [one.address] : []));
  test.runIf(address !== undefined)("metrics that all can read do not publish it", async () => {
    expect((await fetch(`http://${address}:${port}/metrics`)).status).toBe(200);
    const response = await fetch(`http://${address}:${port}/findings`);
    expect(response.status).toBe(403);
    const { code, stderr } = await report(`${address}:${port}`);
    expect(code).toBe(2);
    expect(stderr).toMatch(
      /refused: This is shown to the machine it comes from only: .* metrics\.findings \(TELLTALE_METRICS_FINDINGS\) to "all"/,
    );
  });
});

function valueOf({ attributes }: LogRecord, name: string): unknown {
  return Object.values(attributes.find(({ key }) => key === name)?.value ?? {})[0];
}

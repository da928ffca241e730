import { type OtlpReceiver, startOtlpReceiver } from "@telltale/testkit";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { fixture, REGISTER, runProgram } from "./run-program.js";
import { scrape, sumOf } from "./scrape.js";
import { testNodes } from "./servers/index.js";
import { startService, type WatchedService } from "./watched-service.js";

let receiver: OtlpReceiver;
beforeAll(async () => {
  receiver = await startOtlpReceiver();
});
afterAll(() => receiver?.close());

describe.each(await testNodes())("a service that sends and streams, on Node $version", ({ binary }) => {
  let service: WatchedService;
  beforeAll(async () => {
    service = await startService("http/app.mjs", binary, receiver);
  });
  beforeEach(() => receiver.reset());
  afterAll(() => service.stop());
  const traceOf = (path: string, spans: number): Promise<string> =>
    service.traceOf(path, spans, ({ spanId, name }) => {
      const { kind, attributes = {} } = receiver.spans.find((span) => span.spanId === spanId) ?? {};
      const { "http.response.status_code": status, "http.request.resend_count": resends = "" } = attributes;
      return `${name} ${kind} ${String(status)} ${String(resends)}`.trim();
    });

  test("a redirect and a retry of undici, imported by name, are requests of the caller's", async () => {
    expect(await traceOf("/retry", 7)).toBe(
      [
        "GET server 200",
        "  GET client 302",
        "    GET server 302",
        "  GET client 503 1",
        "    GET server 503",
        "  GET client 200 2",
        "    GET server 200",
      ].join("\n"),
    );
  });

  test("what waits in a pool of undici is the caller's; the pool is on the page", async () => {
    const each = ["  GET client 200", "    GET server 200"];
    expect(await traceOf("/pool", 7)).toBe(["GET server 200", ...each, ...each, ...each].join("\n"));
    const page = await scrape(service.metricsUrl);
    const server = [`server_address="127.0.0.1"`, `server_port="${new URL(service.url).port}"`];
    expect(sumOf(page, "http_client_open_connections", ...server, `http_connection_state="active"`)).toBe(0);
    expect(sumOf(page, "http_client_open_connections", ...server)).toBeGreaterThan(0);
    expect(sumOf(page, "telltale_http_client_pending_requests", ...server)).toBe(0);
    // Those of the pool, and those of the agent before: two redirects and three retries are no more than three requests.
    expect(sumOf(page, "telltale_http_client_connection_wait_time_seconds_count", ...server)).toBe(6);
    expect([...page.keys()].filter((series) => series.startsWith("db_client_connection"))).toEqual([]);
  });

  test("HTTP/2 on both sides", async () => {
    expect(await traceOf("/two", 3)).toBe("GET server 200\n  GET client 200\n    GET server 200");
    expect(receiver.spans.filter(({ attributes }) => attributes["network.protocol.version"] === "2")).toHaveLength(2);
  });

  test("an event stream and a WebSocket are exported while they are open; the stream is active until it is over", async () => {
    const active = async () => sumOf(await scrape(service.metricsUrl), "http_server_active_requests");
    expect(await active()).toBe(0);
    const leaves = new AbortController();
    const events = await fetch(`${service.url}/events`, { signal: leaves.signal });
    expect(events.status).toBe(200);
    const socket = new WebSocket(service.url.replace("http", "ws"));
    await new Promise((resolve) => socket.addEventListener("open", resolve));
    await receiver.waitForSpans((received) => received.length >= 2);
    expect(receiver.spans.map(({ attributes }) => attributes["http.response.status_code"]).sort()).toEqual([101, 200]);
    expect(await active()).toBe(1);
    leaves.abort();
    let left = 1;
    for (let tries = 0; left > 0 && tries < 50; tries++) left = await active();
    expect(left).toBe(0);
    socket.close();
  });
});

/** What a program prints that is watched. */
async function watchedLines(program: string, node: string): Promise<string[]> {
  const { stdout } = await runProgram(fixture(program), {
    node,
    nodeOptions: ["--require", REGISTER],
    env: { OTEL_TRACES_EXPORTER: "otlp", OTEL_METRICS_EXPORTER: "none", TELLTALE_LOG: "silent" },
  });
  return stdout.trim().split("\n");
}

test.each(await testNodes())(
  "on Node $version a request on a connection is active within itself alone, however it arrives",
  async ({ binary }) => {
    const lines = await watchedLines("http/pipelined.cjs", binary);
    const moments = ["before", "request", "tick", "promise", "data", "end", "timer"];
    const expected = ["/1", "/2", "/3", "/4"].flatMap((url) => moments.map((moment) => `${url} ${moment} listen true`));
    // The third comes in two parts.
    expect(lines.toSorted()).toEqual([...expected, "/3 data listen true", "connection true"].toSorted());
  },
);

test.each(await testNodes())(
  "on Node $version a request that the app hands on by itself is active within its handler alone",
  async ({ binary }) => {
    const lines = await watchedLines("http/handed-on.cjs", binary);
    const queued = ["/queued/1", "/queued/2", "/queued/3"].flatMap((url) =>
      ["before", "handled", "after", "timer"].map((moment) => `${url} ${moment} true`),
    );
    const awaited = ["handled", "after", "later", "timer"].map((moment) => `/awaited ${moment} true`);
    expect(lines.toSorted()).toEqual([...queued, ...awaited].toSorted());
  },
);

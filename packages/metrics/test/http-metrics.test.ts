import { selfCounters } from "@telltale/core";
import { expect, test } from "vitest";
import { createMetrics } from "../src/index.js";
import { query, sent, served, template, values } from "./operations.js";

const OK = {
  "http.request.method": "GET",
  "http.route": "/orders/:id",
  "http.response.status_code": 200,
  "url.scheme": "http",
  "network.protocol.version": "1.1",
};

test("requests served, by route and status", async () => {
  const metrics = createMetrics({ runtime: false });
  for (const ms of [3, 30, 300]) metrics.listener.operationEnded?.(served(ms, "/orders/:id"));
  metrics.listener.operationEnded?.(served(5, "/orders/:id", { statusCode: 503, errorType: "503" }));
  metrics.listener.operationEnded?.(served(5, undefined, { statusCode: 0, errorType: "aborted" }));
  const points = await values(metrics, "http.server.request.duration");
  expect(points.map(([attributes]) => attributes)).toEqual([
    OK,
    { ...OK, "http.response.status_code": 503, "error.type": "503" },
    { "http.request.method": "GET", "url.scheme": "http", "network.protocol.version": "1.1", "error.type": "aborted" },
  ]);
  expect(points[0]?.[1]).toMatchObject({ count: 3, min: 0.003, max: 0.3 });
  // 3 ms up to 0.005, 30 ms up to 0.05, 300 ms up to 0.5.
  expect(points[0]?.[1]).toMatchObject({ buckets: { counts: [1, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0] } });
});

test("active requests count up and down, and never below zero for requests that began unheard", async () => {
  const metrics = createMetrics({ runtime: false });
  const requests = [served(1, "/a"), served(1, "/b"), served(1, "/c", { method: "POST" })];
  for (const request of requests) metrics.listener.operationStarted?.(request);
  metrics.listener.operationEnded?.(served(1, "/unheard"));
  const active = () => values(metrics, "http.server.active_requests");
  expect(await active()).toEqual([
    [{ "http.request.method": "GET", "url.scheme": "http" }, 2],
    [{ "http.request.method": "POST", "url.scheme": "http" }, 1],
  ]);
  for (const request of requests) metrics.listener.operationEnded?.(request);
  expect((await active()).map(([, value]) => value)).toEqual([0, 0]);
});

test("a response that goes on after its operation is active until it is over", async () => {
  const metrics = createMetrics({ runtime: false });
  const stream = served(1, "/events");
  const active = async () => (await values(metrics, "http.server.active_requests"))[0]?.[1];
  metrics.listener.operationStarted?.(stream);
  stream.isStreaming = true;
  metrics.listener.operationEnded?.(stream);
  expect(await active()).toBe(1);
  metrics.listener.responseEnded?.(stream);
  expect(await active()).toBe(0);
});

/** How often a label's value was refused, in the process's life. */
const refused = (label: string) => [...selfCounters()].find(({ value }) => value === label)?.total ?? 0;

test("requests sent; hosts beyond the bound are one", async () => {
  const metrics = createMetrics({ runtime: false });
  const before = refused("server.address");
  metrics.listener.operationEnded?.(sent(70));
  metrics.listener.operationEnded?.(sent(70, { statusCode: 0, errorType: "ECONNREFUSED", serverPort: undefined }));
  for (let n = 0; n < 300; n++) {
    metrics.listener.operationEnded?.(sent(1, { serverAddress: `host-${n}.example`, serverPort: 1000 + n }));
  }
  const points = await values(metrics, "http.client.request.duration");
  expect(points[0]).toEqual([
    {
      "http.request.method": "POST",
      "server.address": "pay.example",
      "server.port": 443,
      "http.response.status_code": 200,
    },
    expect.objectContaining({ count: 1, sum: 0.07 }),
  ]);
  expect(points[1]?.[0]).toEqual({
    "http.request.method": "POST",
    "server.address": "pay.example",
    "error.type": "ECONNREFUSED",
  });
  // 200 addresses, pay.example among them, and `other` for the 101 that came after.
  expect(points).toHaveLength(2 + 199 + 1);
  expect(points.at(-1)).toEqual([
    { "http.request.method": "POST", "server.address": "other", "http.response.status_code": 200 },
    expect.objectContaining({ count: 101 }),
  ]);
  expect(refused("server.address") - before).toBe(101);
});

test("routes beyond the bound are one", async () => {
  const metrics = createMetrics({ runtime: false });
  const before = refused("http.route");
  for (let n = 0; n < 600; n++) metrics.listener.operationEnded?.(served(1, `/generated/${n}`));
  const points = await values(metrics, "http.server.request.duration");
  expect(points).toHaveLength(501);
  expect(points.at(-1)).toEqual([{ ...OK, "http.route": "other" }, expect.objectContaining({ count: 100 })]);
  expect(refused("http.route") - before).toBe(100);
});

test("queries are counted for their request, by its route as it is known at the end", async () => {
  const metrics = createMetrics({ runtime: false });
  const { listener } = metrics;
  const serve = (route: string | undefined, ...templates: ReturnType<typeof template>[]): void => {
    const request = served(5, undefined);
    listener.operationStarted?.(request);
    for (const one of templates) listener.operationEnded?.(Object.assign(query(one, 1), { request: request.request }));
    if (request.request !== undefined) request.request.route = route;
    listener.operationEnded?.(request);
  };
  const select = template();
  serve("/orders", select, select, template({ system: "redis" }), template({ effect: "control" }));
  serve("/orders", select);
  serve("/none");
  serve(undefined, select);
  // A job's.
  listener.operationEnded?.(query(select, 1));
  expect(await values(metrics, "telltale.request.queries")).toEqual([
    [{ "http.request.method": "GET", "http.route": "/orders" }, 3],
    [{ "http.request.method": "GET" }, 1],
  ]);
});

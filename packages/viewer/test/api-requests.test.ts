import { expect, test } from "vitest";
import { answerApi } from "../src/api/answer-api.js";
import type { Findings, RequestItem, Requests } from "../src/api/answers.js";
import { NOW_MS, type Seed, seedStore } from "./seed-store.js";

const targets = ({ requests }: Requests): (string | null)[] => requests.map(({ target }) => target);
const refused = ({ store }: Seed, path: string, method = "GET", body?: string) =>
  answerApi(store, method, path, body, NOW_MS);

/**
 * ```
 * GET /orders (shop)
 * ├── SELECT orders
 * ├── BEGIN
 * ├── GET user:? (1 hit, 2 misses)
 * ├── work
 * │   ├── SELECT items
 * │   └── GET (http) ── GET /stock (stock) ── SELECT stock
 * └── GET /inner (shop, called by itself) ── SELECT inner
 * ```
 */
function seedTrace(seed: Seed, trace: string, startMs: number): void {
  const [shop, stock] = [1, 2];
  const query = { system: "postgresql", startMs, ms: 10 };
  const add = (id: string, parent: string, rest: Partial<Parameters<Seed["addSpan"]>[0]>): void =>
    seed.addSpan({ trace, id, parent, by: shop, startMs, ms: 1, ...rest });
  add("root", "", {
    route: "GET /orders",
    httpStatus: 200,
    attributes: { "url.path": `/${trace}`, "url.query": "a=1" },
  });
  add("q1", "root", { ...query, name: "SELECT orders", fingerprint: "1" });
  add("b", "root", { ...query, name: "BEGIN", fingerprint: "2" });
  add("r", "root", { name: "GET", fingerprint: "3", system: "redis", hits: 1, misses: 2 });
  add("work", "root", { kind: 1, name: "work" });
  add("q2", "work", { ...query, name: "SELECT items", fingerprint: "4", finding: "slow_query" });
  add("http", "work", { name: "GET", attributes: { "http.request.method": "GET" } });
  add("stock", "http", { by: stock, route: "GET /stock", httpStatus: 503, attributes: { "http.target": "/stock?x" } });
  add("q3", "stock", { ...query, by: stock, name: "SELECT stock", fingerprint: "5" });
  add("inner", "root", { route: "GET /inner", attributes: { "url.path": "/inner" } });
  add("q4", "inner", { ...query, name: "SELECT inner", fingerprint: "6" });
}

async function seedTraces(count: number): Promise<Seed> {
  const seed = await seedStore();
  seed.addResource("shop");
  seed.addResource("stock");
  for (let index = 0; index < count; index++) seedTrace(seed, `trace${index}`, NOW_MS - 1_000 - index);
  return seed;
}

test("connections and transactions of OpenTelemetry's own instrumentation of pg are no queries either", async () => {
  const seed = await seedStore();
  seed.addResource("shop");
  const about = { trace: "t", by: 1, startMs: NOW_MS - 1_000, ms: 10 };
  seed.addSpan({ ...about, id: "root", route: "GET /orders" });
  for (const name of [
    "pg-pool.connect",
    "pg.connect",
    "pg.query:BEGIN shop",
    "pg.query:SELECT shop",
    "pg.query:COMMIT",
  ])
    seed.addSpan({ ...about, id: name, parent: "root", name, system: "postgresql", fingerprint: name });
  const { requests } = seed.get<Requests>("/api/requests");
  expect(requests[0]?.did).toMatchObject({ spans: 5, queries: 1, queryMs: 10 });
});

test("what a request did is below it, in its service, and not below another request", async () => {
  const seed = await seedTraces(1);
  const { requests } = seed.get<Requests>("/api/requests");
  const byRoute = Object.fromEntries(requests.map((request) => [request.route, request]));
  expect(byRoute["GET /orders"]).toMatchObject({
    service: "shop",
    target: "/trace0?a=1",
    status: 200,
    isError: false,
    did: { spans: 6, queries: 2, queryMs: 20, cacheHits: 1, cacheMisses: 2, httpCalls: 1 },
    findings: ["slow_query"],
  });
  expect(byRoute["GET /stock"]).toMatchObject({
    service: "stock",
    target: "/stock?x",
    isError: true,
    did: { spans: 1, queries: 1, queryMs: 10, cacheHits: 0, cacheMisses: 0, httpCalls: 0 },
    findings: [],
  });
  expect(byRoute["GET /inner"]).toMatchObject({ did: { queries: 1, spans: 1 }, findings: [] });
});

test("spans that are each other's parents end no search", async () => {
  const seed = await seedStore();
  seed.addResource("shop");
  const span = { trace: "t", startMs: NOW_MS, ms: 1 };
  seed.addSpan({ ...span, id: "root", parent: "b", route: "GET /" });
  seed.addSpan({ ...span, id: "a", parent: "root" });
  seed.addSpan({ ...span, id: "b", parent: "a" });
  seed.addSpan({ ...span, id: "a", parent: "b" });
  expect(seed.get<Requests>("/api/requests").requests[0]?.did.spans).toBe(2);
});

test("filters", async () => {
  const seed = await seedTraces(3);
  const routes = (query: string): string[] =>
    seed.get<Requests>(`/api/requests?${query}`).requests.map(({ route, traceId }) => `${traceId} ${route}`);
  expect(routes("service=stock")).toEqual(["trace0 GET /stock", "trace1 GET /stock", "trace2 GET /stock"]);
  expect(routes("route=GET%20/orders&limit=2")).toEqual(["trace0 GET /orders", "trace1 GET /orders"]);
  expect(routes("status=5xx")).toEqual(routes("service=stock"));
  expect(routes("status=503")).toEqual(routes("service=stock"));
  expect(routes("status=error")).toEqual(routes("service=stock"));
  expect(routes("status=2xx")).toEqual(routes("route=GET%20/orders"));
  expect(routes("slower=1.001")).toEqual([]);
  expect(routes("slower=1")).toHaveLength(9);
  expect(routes("finding=any")).toEqual(routes("route=GET%20/orders"));
  expect(routes("finding=slow_query")).toEqual(routes("finding=any"));
  expect(routes("finding=n_plus_one")).toEqual([]);
  expect(routes("text=%2Ftrace1&route=GET%20/orders")).toEqual(["trace1 GET /orders"]);
  expect(routes("text=SELECT%20ITEMS&service=stock")).toHaveLength(3);
  expect(seed.get<Requests>("/api/requests")).toMatchObject({
    services: ["shop", "stock"],
    routes: ["GET /inner", "GET /orders", "GET /stock"],
  });
});

test("a text is looked for as it is: quotes, per cents, backslashes", async () => {
  const seed = await seedStore();
  seed.addResource("shop");
  const texts = ['say "hi"', "100%", "10000", "a\\b", "a_b", "axb", "ü\n"];
  for (const [index, text] of texts.entries()) {
    seed.addSpan({ route: "GET /", startMs: NOW_MS - index, ms: 1, attributes: { "url.path": `/${index}`, text } });
  }
  for (const [index, text] of texts.entries()) {
    expect(targets(seed.get(`/api/requests?text=${encodeURIComponent(text)}`)), text).toEqual([`/${index}`]);
  }
});

test("pages hold every request once, in the order of time, also of one microsecond", async () => {
  const seed = await seedStore();
  seed.addResource("shop");
  for (let index = 0; index < 57; index++) {
    seed.addSpan({
      route: "GET /",
      startMs: NOW_MS - Math.floor(index / 10),
      ms: 1,
      attributes: { "url.path": `/${index}` },
    });
  }
  const seen: RequestItem[] = [];
  let next: string | null = "";
  for (let page = 0; next !== null; page++) {
    expect(page).toBeLessThan(7);
    const answer: Requests = seed.get(`/api/requests?limit=10${next === "" ? "" : `&before=${next}`}`);
    seen.push(...answer.requests);
    next = answer.next;
  }
  expect(new Set(seen.map(({ target }) => target)).size).toBe(57);
  const starts = seen.map(({ startMs }) => startMs);
  expect(starts).toEqual(starts.toSorted((a, b) => b - a));
});

test("wrong parameters are answered with what is expected, what came and what to do", async () => {
  const seed = await seedStore();
  const wrong = [
    ["/api/now?minutes=0", "minutes"],
    ["/api/now?minutes=NaN", "minutes"],
    ["/api/queries?sort=name", "total, calls, mean, p95"],
    ["/api/requests?status=600", "2xx, 404 or error"],
    ["/api/requests?slower=-1", "slower"],
    ["/api/requests?limit=100000", "from 1 to 1000"],
    ["/api/requests?before=1';--", "next"],
    ["/api/findings?muted=yes", "true, false"],
    [`/api/requests?text=${"x".repeat(1_001)}`, "1000 characters"],
    ["/api/trace/%zz", "hexadecimal"],
  ] as const;
  for (const [path, text] of wrong) {
    expect(refused(seed, path), path).toEqual({ status: 400, body: { error: expect.stringContaining(text) } });
  }
  expect(refused(seed, "/api/trace/abc")).toMatchObject({ status: 404 });
  expect(refused(seed, "/api/query/abc")).toMatchObject({ status: 404 });
  expect(refused(seed, "/api/metric/abc")).toMatchObject({ status: 404 });
  expect(refused(seed, "/api/now", "POST")).toMatchObject({ status: 405 });
  for (const path of ["/api/services", "/api/constructor", "/api/now/x", "/api/trace", "/api/trace/", "/api", "/x"]) {
    expect(refused(seed, path), path).toBeUndefined();
  }
});

test("a finding of several processes is one, and can be muted", async () => {
  const seed = await seedStore();
  for (const service of ["shop", "shop", "stock"]) seed.addResource(service, String(Math.random()));
  seed.addSpan({ trace: "kept", route: "GET /", startMs: NOW_MS, ms: 1 });
  const facts = { "telltale.finding.kind": "n_plus_one", "telltale.finding.severity": "warning" };
  seed.addFinding(1, "f1", "kept", 3, {
    ...facts,
    "telltale.finding.lost_ms": 10.5,
    "telltale.finding.evidence.cache": "user",
  });
  seed.addFinding(2, "f1", "gone", 4, {
    ...facts,
    "telltale.finding.lost_ms": 20,
    "telltale.finding.endpoint": "GET /orders",
    "telltale.finding.calls": 25,
    "telltale.finding.evidence.pool": "pg",
    "code.file.path": "src/orders.ts",
    "code.line.number": 41,
  });
  seed.addFinding(3, "f2", "gone", 1, {
    "telltale.finding.kind": "pool_timeout",
    "telltale.finding.severity": "error",
  });
  const { findings } = seed.get<Findings>("/api/findings");
  expect(findings.map(({ id }) => id)).toEqual(["f2", "f1"]);
  expect(findings[1]).toMatchObject({
    service: "shop",
    title: "found by 2",
    count: 7,
    lostMs: 30.5,
    endpoint: "GET /orders",
    traceId: "kept",
    firstMs: NOW_MS - 60_002,
    lastMs: NOW_MS - 9_998,
    site: "src/orders.ts:41",
    evidence: { pool: "pg", calls: 25 },
    isMuted: false,
  });
  expect(findings[0]?.traceId).toBeNull();
  const mute = (body: string) => refused(seed, "/api/findings/f1/mute", "POST", body);
  expect(mute('{"muted": true}')).toMatchObject({ status: 200, body: { id: "f1", isMuted: true } });
  expect(seed.get<Findings>("/api/findings")).toMatchObject({ findings: [{ id: "f2" }], muted: 1 });
  expect(seed.get<Findings>("/api/findings?muted=true").findings).toHaveLength(2);
  expect(seed.get<Findings>("/api/findings?muted=true&kind=pool_timeout")).toMatchObject({
    findings: [{ id: "f2" }],
    muted: 0,
  });
  expect(mute('{"muted": false}')).toMatchObject({ status: 200, body: { isMuted: false } });
  for (const body of ["", "muted", '{"muted": 1}', "[]"]) expect(mute(body), body).toMatchObject({ status: 400 });
  expect(refused(seed, "/api/findings/none/mute", "POST", '{"muted": true}')).toMatchObject({ status: 404 });
  expect(refused(seed, "/api/findings/f1/mute")).toMatchObject({ status: 405 });
});

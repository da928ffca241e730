import { type Context, context, createContextKey, trace } from "@opentelemetry/api";
import { addListener, readPools, suppress } from "@telltale/core";
import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { connect, createServer } from "node:http2";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import { PassThrough } from "node:stream";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { httpInstrumentation } from "../src/index.js";
import { type Heard, hear } from "./hear.js";
import { serve, type Serving, until } from "./serve.js";

type Undici = typeof import("undici");

const instrumentation = httpInstrumentation({ ignoreIncomingPaths: [/^/] });
// It must be on before the library loads, as the preload sees to it.
instrumentation.enable();

const releases = [
  { major: 5, require: createRequire(new URL("../../../.old-majors/package.json", import.meta.url)) },
  { major: 8, require: createRequire(import.meta.url) },
].map(({ major, require }) => {
  const { version } = require("undici/package.json") as { version: string };
  if (!version.startsWith(`${major}.`)) throw new Error(`expected undici ${major}, found ${version}`);
  return { major, version, undici: require("undici") as Undici };
});

let heard: Heard;
let target: Serving;
/** What the server was sent: the truth that spans are compared with. */
const arrived: { path: string; traceparent: string | undefined }[] = [];
const failures = new Map<string, number>();

beforeAll(async () => {
  target = await serve((message, response) => {
    const { pathname, searchParams } = new URL(message.url ?? "/", "http://a");
    // It is given up, and may come when the next test has begun.
    if (pathname === "/never") return;
    const { traceparent } = message.headers;
    arrived.push({ path: message.url ?? "", traceparent: traceparent as string | undefined });
    const left = failures.get(pathname) ?? 0;
    failures.set(pathname, left - 1);
    if (left > 0) response.writeHead(503).end();
    else if (pathname === "/from") response.writeHead(302, { location: "/via" }).end();
    else if (pathname === "/via") response.writeHead(302, { location: "/to" }).end();
    else if (pathname === "/events")
      response.writeHead(200, { "content-type": "text/event-stream" }).write("data: 1\n\n");
    else setTimeout(() => response.end("ok"), Number(searchParams.get("wait") ?? 0));
  });
  target.server.on("upgrade", (_message: IncomingMessage, socket) => {
    socket.write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n");
    socket
      .on("error", () => {})
      .on("end", () => socket.end())
      .resume();
  });
  target.server.on("connect", (_message: IncomingMessage, socket) => {
    socket.write("HTTP/1.1 200 Connection Established\r\n\r\n");
    socket
      .on("error", () => {})
      .on("end", () => socket.end())
      .resume();
  });
});
afterAll(() => target.close());
beforeEach(() => {
  heard = hear(instrumentation);
  arrived.length = 0;
});
afterEach(() => heard.stop());

const callerOf = (name: string): Context =>
  trace.setSpan(context.active(), heard.provider.getTracer("test").startSpan(name));
const ended = (count: number) =>
  until(
    () => heard.clients,
    (clients) => clients.length >= count,
  );
const idOf = (caller: Context) => trace.getSpan(caller)?.spanContext().spanId;

/** Each request that arrived has one span, whose id it carried. */
function expectOneSpanEach(): void {
  const sent = arrived.map(({ traceparent }) => traceparent?.split("-")[2]).sort();
  expect(heard.spans.map((span) => span.spanContext().spanId).sort()).toEqual(sent);
  expect([...heard.ends.values()]).toEqual(sent.map(() => 1));
}

describe.each(releases)("undici $version", ({ major, undici }) => {
  const ways: Record<string, (client: import("undici").Client) => Promise<unknown>> = {
    request: async () => (await undici.request(`${target.url}/`)).body.text(),
    fetch: async () => (await undici.fetch(`${target.url}/`)).text(),
    "the global fetch": async () => (await fetch(`${target.url}/`)).text(),
    stream: async () => undici.stream(`${target.url}/`, { method: "GET" }, () => new PassThrough().resume()),
    pipeline: () =>
      new Promise((resolve, reject) =>
        undici
          .pipeline(`${target.url}/`, { method: "POST" }, ({ body }) => body)
          .on("error", reject)
          .on("end", () => resolve(undefined))
          .resume()
          .end("x"),
      ),
    "a client": async (client) => (await client.request({ path: "/", method: "GET" })).body.text(),
    "a client with a callback": (client) =>
      new Promise((resolve, reject) =>
        client.request({ path: "/", method: "HEAD" }, (error, answer) => {
          if (error) reject(error);
          else resolve(answer.body.text());
        }),
      ),
  };
  test.each(Object.keys(ways))("%s: one span, a child of the caller's", async (way) => {
    const client = new undici.Client(target.url);
    const caller = callerOf(way);
    await context.with(caller, () => ways[way]?.(client));
    await ended(1);
    await client.close();
    expect(arrived).toHaveLength(1);
    expectOneSpanEach();
    expect(heard.spans[0]?.parentSpanContext?.spanId).toBe(idOf(caller));
    expect(heard.clients[0]).toMatchObject({ statusCode: 200, errorType: undefined, url: `${target.url}/` });
    expect(heard.spans[0]?.attributes).not.toHaveProperty("http.request.resend_count");
  });

  test("nothing at all where recording is suppressed", async () => {
    await context.with(suppress(context.active()), async () => (await undici.request(target.url)).body.text());
    expect(arrived).toEqual([{ path: "/", traceparent: undefined }]);
    expect(heard.started).toEqual([]);
  });

  test("what waits in a pool keeps its caller, and is counted while it waits", async () => {
    const waits: number[] = [];
    const remove = addListener({
      name: "waits",
      poolTimed: (_pool, what, ms) => void (what === "wait" && waits.push(ms)),
    });
    const begunMs = performance.now();
    const pool = new undici.Pool(target.url, { connections: 1 });
    const key = createContextKey("caller");
    const callers = [0, 1, 2, 3].map((n) => callerOf(String(n)).setValue(key, n));
    const running = callers.map((caller, n) =>
      context.with(caller, async () => {
        const { body } = await pool.request({ path: `/${n}?wait=30`, method: "GET" });
        await body.text();
        expect(context.active().getValue(key)).toBe(n);
      }),
    );
    const readings = () => readPools().filter(({ pool: one }) => one.name.startsWith(target.url));
    const reading = await until(
      () => readings().find(({ reading: { limit } }) => limit === 1)?.reading,
      (seen) => seen?.used === 1,
    );
    // What this pool says itself; and what arithmetic says: four were sent and one is on its way.
    expect(reading).toEqual({ used: 1, idle: 0, pending: 3, limit: 1 });
    expect(readings()[0]?.pool.http).toEqual({ address: "127.0.0.1", port: Number(new URL(target.url).port) });
    expect(pool.stats).toMatchObject({ connected: 1, free: 0, pending: 3 });
    await Promise.all(running);
    // Free as soon as undici itself calls it so.
    await until(
      () => pool.stats,
      ({ free }) => free === 1,
    );
    expect(readings().find(({ reading: { limit } }) => limit === 1)?.reading).toEqual({
      used: 0,
      idle: 1,
      pending: 0,
      limit: 1,
    });
    // Each waited for those before it, which took 30 ms each; a timer may be 1 ms early.
    expect(waits).toHaveLength(4);
    for (const [n, ms] of waits.entries()) expect(ms).toBeGreaterThan(n * 29 - 1);
    expect(Math.max(...waits)).toBeLessThan(performance.now() - begunMs);
    await ended(4);
    expectOneSpanEach();
    const parents = new Map(heard.spans.map((span) => [span.attributes["url.full"], span.parentSpanContext?.spanId]));
    expect(callers.map((_, n) => parents.get(`${target.url}/${n}?wait=30`))).toEqual(callers.map(idOf));
    remove();
    await pool.destroy();
    expect(readings().filter(({ reading: { limit } }) => limit === 1)).toEqual([]);
  });

  test("redirects are requests of their own, in the caller's context", async () => {
    const agent = new undici.Agent();
    // The connection is another caller's.
    await context.with(callerOf("other"), async () =>
      (await undici.request(target.url, { dispatcher: agent })).body.text(),
    );
    await ended(1);
    heard.clear();
    arrived.length = 0;
    const caller = callerOf("caller");
    await context.with(caller, async () => {
      const answer =
        major === 5
          ? await undici.request(`${target.url}/from`, { dispatcher: agent, maxRedirections: 3 } as object)
          : await undici.request(`${target.url}/from`, {
              dispatcher: agent.compose(
                undici.interceptors.retry(),
                undici.interceptors.redirect({ maxRedirections: 3 }),
              ),
            });
      expect(await answer.body.text()).toBe("ok");
    });
    await ended(3);
    await agent.close();
    expect(arrived.map(({ path }) => path)).toEqual(["/from", "/via", "/to"]);
    expectOneSpanEach();
    expect(
      heard.spans.map(({ parentSpanContext, attributes }) => [
        parentSpanContext?.spanId,
        attributes["http.request.resend_count"],
      ]),
    ).toEqual([
      [idOf(caller), undefined],
      [idOf(caller), 1],
      [idOf(caller), 2],
    ]);
  });

  test.each(["fetch of the package", "the global fetch"])("redirects of %s", async (which) => {
    const caller = callerOf("caller");
    const send = which === "the global fetch" ? fetch : (undici.fetch as unknown as typeof fetch);
    await context.with(caller, async () => (await send(`${target.url}/from`)).text());
    await ended(3);
    expectOneSpanEach();
    expect(
      heard.spans.map(({ parentSpanContext, attributes }) => [
        parentSpanContext?.spanId,
        attributes["http.request.resend_count"],
      ]),
    ).toEqual([
      [idOf(caller), undefined],
      [idOf(caller), 1],
      [idOf(caller), 2],
    ]);
  });

  test("an upgrade and a tunnel end with their answer", async () => {
    const client = new undici.Client(target.url);
    const { socket } = await client.upgrade({ path: "/chat", protocol: "x" });
    await ended(1);
    const tunnel = await client.connect({ path: major === 5 ? "/" : "a.test:443" });
    await ended(2);
    expect(heard.clients.map(({ method, statusCode, errorType }) => [method, statusCode, errorType])).toEqual([
      ["GET", 101, undefined],
      ["CONNECT", 200, undefined],
    ]);
    socket.destroy();
    tunnel.socket.destroy();
    await client.destroy();
    expect([...heard.ends.values()]).toEqual([1, 1]);
  });

  test("an event stream ends with its head", async () => {
    const { body } = await undici.request(`${target.url}/events`);
    await ended(1);
    expect(heard.clients[0]).toMatchObject({ statusCode: 200, errorType: undefined });
    await once(body, "data");
    body.on("error", () => {}).destroy();
    expect([...heard.ends.values()]).toEqual([1]);
  });

  test("failures", async () => {
    const refused = await serve(() => {});
    await refused.close();
    await expect(undici.request(refused.url)).rejects.toMatchObject({ code: "ECONNREFUSED" });
    await expect(undici.request(`${target.url}/never`, { signal: AbortSignal.timeout(20) })).rejects.toThrow();
    await ended(2);
    expect(heard.clients.map(({ statusCode, errorType }) => [statusCode, errorType])).toEqual([
      [0, "ECONNREFUSED"],
      [0, major === 5 ? "UND_ERR_ABORTED" : "TimeoutError"],
    ]);
  });
});

describe.each(releases.filter(({ major }) => major > 5))("undici $version, which 5 has not:", ({ undici }) => {
  test("over HTTP/2 it is one span as well", async () => {
    const seen: unknown[] = [];
    const server = createServer().on("stream", (stream, headers) => {
      seen.push(String(headers["traceparent"]).split("-")[2]);
      stream.respond({ ":status": 404 });
      stream.end("no");
    });
    await once(server.listen(0, "127.0.0.1"), "listening");
    const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    // Whoever uses node:http2 in the same program makes that heard, too.
    const session = connect(origin);
    await once(session.request().resume(), "close");
    session.close();
    const client = new undici.Client(origin, { useH2c: true } as object);
    const answer = await client.request({ path: "/h2", method: "GET" });
    expect(await answer.body.text()).toBe("no");
    await ended(2);
    await client.close();
    server.close();
    expect(heard.clients.map(({ url, statusCode, errorType }) => [url, statusCode, errorType])).toEqual([
      [`${origin}/`, 404, "404"],
      [`${origin}/h2`, 404, "404"],
    ]);
    expect(heard.spans.map((span) => span.spanContext().spanId)).toEqual(seen);
  });

  test("retries are requests of their own, in the caller's context", async () => {
    for (const [way, dispatcher] of Object.entries({
      agent: new undici.RetryAgent(new undici.Agent(), { minTimeout: 1, maxRetries: 3 }),
      interceptor: new undici.Agent().compose(undici.interceptors.retry({ minTimeout: 1, maxRetries: 3 })),
    })) {
      heard.clear();
      arrived.length = 0;
      failures.set(`/${way}`, 2);
      const caller = callerOf(way);
      const answer = await context.with(caller, () => undici.request(`${target.url}/${way}`, { dispatcher }));
      expect(await answer.body.text()).toBe("ok");
      await ended(3);
      await dispatcher.close();
      expectOneSpanEach();
      expect(
        heard.spans.map(({ parentSpanContext, attributes }) => [
          parentSpanContext?.spanId,
          attributes["http.response.status_code"],
          attributes["http.request.resend_count"],
        ]),
      ).toEqual([
        [idOf(caller), 503, undefined],
        [idOf(caller), 503, 1],
        [idOf(caller), 200, 2],
      ]);
    }
  });
});

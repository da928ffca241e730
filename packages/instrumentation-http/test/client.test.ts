import { type Context, context, createContextKey, trace } from "@opentelemetry/api";
import { suppress } from "@telltale/core";
import { once } from "node:events";
import http, { ClientRequest, get, type IncomingMessage, request, type RequestListener } from "node:http";
import { createSecureServer } from "node:http2";
import https from "node:https";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TlsOptions } from "node:tls";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { httpInstrumentation } from "../src/index.js";
import { type Heard, hear } from "./hear.js";
import { serve, type Serving, until } from "./serve.js";

let heard: Heard;
let target: Serving;
let caller: Context;

beforeAll(async () => {
  target = await serve((message, response) => {
    const { pathname, searchParams } = new URL(message.url ?? "/", "http://a");
    if (pathname === "/never") return;
    if (pathname === "/half") {
      response.writeHead(200, { "content-length": "100" }).write("half");
      setTimeout(() => response.destroy(), 20);
      return;
    }
    setTimeout(
      () => response.writeHead(Number(searchParams.get("status") ?? 200)).end(JSON.stringify(message.headers)),
      Number(searchParams.get("wait") ?? 0),
    );
  });
});
afterAll(() => target.close());

beforeEach(() => {
  heard = hear(httpInstrumentation({ ignoreIncomingPaths: [/^/] }));
  caller = trace.setSpan(context.active(), heard.provider.getTracer("test").startSpan("caller"));
});
afterEach(() => heard.stop());

const ended = (count: number) =>
  until(
    () => heard.clients,
    (clients) => clients.length >= count,
  );
async function bodyOf(sent: ClientRequest): Promise<string> {
  const [response] = (await once(sent, "response")) as [IncomingMessage];
  return (await response.toArray()).join("");
}

test("a request becomes one operation and one span, a child of the caller's", async () => {
  const url = `${target.url.replace("://", "://user:pass@")}/orders?page=2&api_key=k`;
  const received = JSON.parse(await context.with(caller, () => bodyOf(get(url)))) as Record<string, string>;
  await ended(1);
  expect(heard.clients).toEqual([
    expect.objectContaining({
      kind: "http.client",
      method: "GET",
      url: `${target.url}/orders?page=2&api_key=REDACTED`,
      serverAddress: "127.0.0.1",
      serverPort: target.port,
      protocolVersion: "1.1",
      statusCode: 200,
      errorType: undefined,
    }),
  ]);
  const [span] = heard.spans;
  expect(span?.parentSpanContext?.spanId).toBe(trace.getSpan(caller)?.spanContext().spanId);
  const { traceId, spanId } = span?.spanContext() ?? {};
  expect(received["traceparent"]).toBe(`00-${traceId}-${spanId}-01`);
  expect(received["authorization"]).toBe(`Basic ${btoa("user:pass")}`);
});

test.each([
  [204, undefined],
  [404, "404"],
  [500, "500"],
])("status %i gives error.type %s", async (status, errorType) => {
  await bodyOf(get(`${target.url}/?status=${status}`));
  await ended(1);
  expect(heard.clients[0]).toMatchObject({ statusCode: status, errorType });
});

describe("every way to make a request is heard once", () => {
  const ways: Record<string, () => ClientRequest> = {
    "http.get": () => http.get(target.url),
    "http.request": () => http.request({ port: target.port, path: "/" }).end(),
    "import { get }": () => get(new URL(target.url)),
    "import { request }": () => request(target.url, { method: "POST" }).end("body"),
    "new ClientRequest": () => new ClientRequest(target.url).end(),
    "without an agent": () => get(target.url, { agent: false }),
    "headers as an array": () => get(target.url, { headers: ["Host", "a.test"] }),
  };
  test.each(Object.keys(ways))("%s", async (way) => {
    const sent = ways[way]?.();
    if (sent === undefined) throw new Error("no way");
    await bodyOf(sent);
    await ended(1);
    expect([...heard.ends.values()]).toEqual([1]);
    expect(heard.started).toHaveLength(1);
  });
});

test("where the Host header names another host, the address is where it is sent", async () => {
  await bodyOf(get(`${target.url}/x`, { headers: { host: "virtual.test:81" } }));
  await ended(1);
  expect(heard.clients[0]).toMatchObject({
    serverAddress: "127.0.0.1",
    serverPort: undefined,
    url: "http://127.0.0.1/x",
  });
});

test("a Unix socket", async () => {
  const path = join(tmpdir(), `telltale-${process.pid}.sock`);
  const server = http.createServer((_request, response) => response.end("ok")).listen(path);
  await once(server, "listening");
  await bodyOf(get({ socketPath: path, path: "/info" }));
  await ended(1);
  server.closeAllConnections();
  server.close();
  expect(heard.clients[0]).toMatchObject({ serverAddress: path, serverPort: undefined, url: "http://localhost/info" });
});

test("nothing at all happens where recording is suppressed", async () => {
  const received = await context.with(suppress(caller), () => bodyOf(get(target.url)));
  expect(JSON.parse(received)).not.toHaveProperty("traceparent");
  expect(heard.started).toEqual([]);
});

describe("how a request ends", () => {
  test("refused", async () => {
    const { port, close } = await serve(() => {});
    await close();
    const [error] = (await once(get({ port, host: "127.0.0.1" }), "error")) as [Error];
    await ended(1);
    expect(heard.clients[0]).toMatchObject({ statusCode: 0, errorType: "ECONNREFUSED", error });
  });

  test("an error that no close follows", async () => {
    const createConnection = (_options: unknown, done: (error: Error) => void): undefined =>
      done(new RangeError("none")) as undefined;
    await once(get({ host: "a.test", createConnection: createConnection as never }), "error");
    expect(heard.clients).toEqual([expect.objectContaining({ errorType: "RangeError" })]);
  });

  test("a name that does not exist", async () => {
    const sent = get("http://telltale.invalid/");
    const [error] = (await once(sent, "error")) as [NodeJS.ErrnoException];
    await ended(1);
    expect(heard.clients[0]).toMatchObject({ serverAddress: "telltale.invalid", errorType: error.code });
  });

  test("destroyed by the app, before and after an answer", async () => {
    const waiting = get(`${target.url}/never`);
    setTimeout(() => waiting.destroy(new RangeError("no longer wanted")), 20);
    await once(waiting, "error");
    const reading = get(`${target.url}/half`);
    const [response] = (await once(reading, "response")) as [IncomingMessage];
    await once(response, "data");
    response.destroy();
    await ended(2);
    expect(heard.clients.map(({ statusCode, errorType }) => [statusCode, errorType])).toEqual([
      [0, "RangeError"],
      [200, undefined],
    ]);
  });

  test("aborted by a signal, and by a time-out that the app acts on", async () => {
    const aborted = get(`${target.url}/never`, { signal: AbortSignal.timeout(20) });
    await once(aborted, "error");
    const late = get(`${target.url}/never`, { timeout: 20 });
    late.on("timeout", () => late.destroy());
    await once(late, "error");
    await ended(2);
    expect(heard.clients.map(({ errorType }) => errorType)).toEqual(["ABORT_ERR", "ECONNRESET"]);
  });

  test("the connection is lost in the middle of the body", async () => {
    const [response] = (await once(get(`${target.url}/half`), "response")) as [IncomingMessage];
    response.resume();
    await ended(1);
    expect(heard.clients[0]).toMatchObject({ statusCode: 200, errorType: "ECONNRESET" });
  });

  test("no valid answer", async () => {
    const server = createServer((socket) => socket.end("nonsense\r\n\r\n")).listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as { port: number };
    await once(get({ port, host: "127.0.0.1" }), "error");
    server.close();
    await ended(1);
    expect(heard.clients[0]?.errorType).toMatch(/^HPE_/);
  });

  test("a response that is never read ends with its connection", async () => {
    const { url, close } = await serve((_request, response) => response.end("x".repeat(100)));
    await once(get(url), "response");
    expect(heard.clients).toEqual([]);
    await close();
    await ended(1);
    expect(heard.clients[0]).toMatchObject({ statusCode: 200, errorType: undefined });
  });

  test("a response that nobody listens for", async () => {
    get(target.url);
    await ended(1);
    expect(heard.clients[0]).toMatchObject({ statusCode: 200, errorType: undefined });
  });

  test("an upgrade", async () => {
    const running = await serve(() => {});
    running.server.on("upgrade", (_request, socket) => {
      socket.write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n");
      socket.resume().on("end", () => socket.end());
    });
    const sent = get(running.url, { headers: { connection: "Upgrade", upgrade: "x" } });
    const socket = await new Promise<Socket>((resolve) => {
      sent.on("upgrade", (_response, upgraded) => {
        expect(heard.clients).toHaveLength(1);
        resolve(upgraded);
      });
    });
    expect(heard.clients[0]).toMatchObject({ statusCode: 101, errorType: undefined });
    socket.destroy();
    await running.close();
  });
});

test("it ends before the app's own listener for the end of the response", async () => {
  const [response] = (await once(get(target.url), "response")) as [IncomingMessage];
  const seen = await new Promise((resolve) => {
    response.resume().on("end", () => resolve(heard.clients.length));
  });
  expect(seen).toBe(1);
});

test("callbacks run in their caller's context, also when requests queue for a kept-alive connection", async () => {
  const key = createContextKey("caller");
  const agent = new http.Agent({ keepAlive: true, maxSockets: 2 });
  const wrong: string[] = [];
  await Promise.all(
    Array.from({ length: 40 }, (_, id) =>
      context.with(context.active().setValue(key, id), () => {
        const check = (where: string): void => {
          const seen = context.active().getValue(key);
          if (seen !== id) wrong.push(`${where} of ${id} saw ${String(seen)}`);
        };
        return new Promise((resolve) => {
          get({ port: target.port, path: `/?wait=${id % 5}`, agent }, (response) => {
            check("response");
            response
              .on("data", () => check("data"))
              .on("end", () => check("end"))
              .on("close", resolve);
          }).on("finish", () => check("finish"));
        });
      }),
    ),
  );
  await ended(40);
  agent.destroy();
  expect(wrong).toEqual([]);
});

test("a traceparent of the app's own is replaced by the request's", async () => {
  const headers = { traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" };
  const received = JSON.parse(await bodyOf(get(target.url, { headers }))) as Record<string, string>;
  await ended(1);
  expect(received["traceparent"]).toContain(heard.spans[0]?.spanContext().spanId);
});

test("with fetch as well: one header, whatever the app has set", async () => {
  const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  const response = await context.with(caller, () => fetch(target.url, { headers: { TraceParent: traceparent } }));
  const received = (await response.json()) as Record<string, string>;
  await ended(1);
  const { traceId, spanId } = heard.spans[0]?.spanContext() ?? {};
  expect(received["traceparent"]).toBe(`00-${traceId}-${spanId}-01`);
});

test("the app finds no listener that it did not add", async () => {
  const count = async (): Promise<Record<string, number>> => {
    const counts: Record<string, number> = {};
    const sent = get(target.url, { agent: false });
    const [response] = (await once(sent, "response")) as [IncomingMessage];
    for (const [name, emitter] of Object.entries({ sent, response, socket: response.socket })) {
      for (const event of emitter.eventNames()) counts[`${name} ${String(event)}`] = emitter.listenerCount(event);
    }
    response.resume();
    await once(sent, "close");
    return counts;
  };
  const instrumented = await count();
  heard.stop();
  expect(instrumented).toEqual(await count());
});

describe("fetch", () => {
  test("a request becomes one operation and one span, a child of the caller's", async () => {
    const response = await context.with(caller, () =>
      fetch(`${target.url}/orders?sig=s`, { method: "POST", body: "{}" }),
    );
    const received = (await response.json()) as Record<string, string>;
    await ended(1);
    expect(heard.clients).toEqual([
      expect.objectContaining({
        method: "POST",
        url: `${target.url}/orders?sig=REDACTED`,
        serverAddress: "127.0.0.1",
        serverPort: target.port,
        statusCode: 200,
        errorType: undefined,
      }),
    ]);
    const [span] = heard.spans;
    expect(span?.parentSpanContext?.spanId).toBe(trace.getSpan(caller)?.spanContext().spanId);
    expect(received["traceparent"]).toContain(span?.spanContext().spanId);
  });

  test("a redirect is a request of its own", async () => {
    const running = await serve((message, response) => {
      if (message.url === "/to") response.end("there");
      else response.writeHead(302, { location: "/to" }).end();
    });
    await (await fetch(`${running.url}/from`)).text();
    await ended(2);
    await running.close();
    expect(heard.clients.map(({ url, statusCode }) => [url.slice(running.url.length), statusCode])).toEqual([
      ["/from", 302],
      ["/to", 200],
    ]);
  });

  test("failures", async () => {
    const { url, close } = await serve(() => {});
    await close();
    await expect(fetch(url)).rejects.toThrow("fetch failed");
    await expect(fetch(`${target.url}/never`, { signal: AbortSignal.timeout(20) })).rejects.toThrow();
    await expect((await fetch(`${target.url}/half`)).text()).rejects.toThrow("terminated");
    await (await fetch(`${target.url}/?status=503`)).text();
    await ended(4);
    expect(heard.clients.map(({ statusCode, errorType }) => [statusCode, errorType])).toEqual([
      [0, "ECONNREFUSED"],
      [0, "TimeoutError"],
      [200, "UND_ERR_SOCKET"],
      [503, "503"],
    ]);
    expect([...heard.ends.values()]).toEqual([1, 1, 1, 1]);
  });

  test("nothing at all happens where recording is suppressed", async () => {
    const response = await context.with(suppress(caller), () => fetch(target.url));
    expect(await response.json()).not.toHaveProperty("traceparent");
    expect(heard.started).toEqual([]);
  });
});

test.each<[string, (options: TlsOptions, handler: RequestListener) => Server]>([
  ["https", (options, handler) => https.createServer(options, handler)],
  [
    "HTTP/1 of an http2 server",
    // The types know its own messages only.
    (options, handler) =>
      createSecureServer({ ...options, allowHTTP1: true } as object, handler as never) as unknown as Server,
  ],
])("%s, served and sent", async (_, create) => {
  heard.stop();
  heard = hear(httpInstrumentation());
  // A key that both sides know needs no certificate.
  const psk = Buffer.from("telltale");
  const shared = { ciphers: "PSK", minVersion: "TLSv1.2", maxVersion: "TLSv1.2" } as const;
  const server = create({ ...shared, pskCallback: () => psk }, (_request, response) => response.end("ok"));
  server.listen(0);
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const checkServerIdentity = (): undefined => undefined;
  const options = {
    ...shared,
    port,
    path: "/secure",
    pskCallback: () => ({ psk, identity: "test" }),
    checkServerIdentity,
  };
  expect(await bodyOf(https.get({ ...options, agent: false }))).toBe("ok");
  await until(
    () => heard.spans,
    (spans) => spans.length === 2,
  );
  server.close();
  expect(heard.clients).toEqual([
    expect.objectContaining({ url: `https://localhost:${port}/secure`, serverAddress: "localhost", serverPort: port }),
  ]);
  expect(heard.servers).toEqual([expect.objectContaining({ scheme: "https", path: "/secure", statusCode: 200 })]);
  expect(heard.servers[0]?.span?.spanContext().traceId).toBe(heard.clients[0]?.span?.spanContext().traceId);
});

test("a served request and what it sends are one trace", async () => {
  heard.stop();
  heard = hear(httpInstrumentation());
  const inner = await serve((_request, response) => response.end("inner"));
  const outer = await serve((message, response) => {
    message.resume().on("end", () => {
      get(inner.url, (answer) => answer.pipe(response));
    });
  });
  await bodyOf(request(outer.url, { method: "POST" }).end("body"));
  await until(
    () => heard.spans,
    (spans) => spans.length === 4,
  );
  await Promise.all([outer.close(), inner.close()]);
  const nameOf = new Map(heard.spans.map((span) => [span.spanContext().spanId, `${span.name} ${span.kind}`]));
  const chain = heard.spans.map((span) => [
    `${span.name} ${span.kind}`,
    nameOf.get(span.parentSpanContext?.spanId ?? ""),
  ]);
  expect(chain.sort()).toEqual([
    ["GET 1", "GET 2"],
    ["GET 2", "POST 1"],
    ["POST 1", "POST 2"],
    ["POST 2", undefined],
  ]);
  expect(new Set(heard.spans.map((span) => span.spanContext().traceId)).size).toBe(1);
});

test("a response that somebody emits by hand, as tests do, is no failure, whatever it is", async () => {
  const emitted: unknown[] = [];
  for (const response of [undefined, null, 7, { statusCode: 503 }]) {
    const sent = request(target.url).on("response", (given: unknown) => emitted.push(given));
    sent.on("error", () => {});
    sent.emit("response", response);
    sent.destroy();
  }
  await ended(4);
  expect(emitted).toEqual([undefined, null, 7, { statusCode: 503 }]);
  expect(heard.clients.map(({ statusCode }) => statusCode)).toEqual([0, 0, 0, 503]);
  await bodyOf(get(target.url));
  await ended(5);
});

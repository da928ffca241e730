import { context, trace } from "@opentelemetry/api";
import { activeRequest, addListener, suppress } from "@telltale/core";
import { once } from "node:events";
import { type IncomingMessage } from "node:http";
import http2, {
  type ClientHttp2Session,
  connect,
  constants,
  createSecureServer,
  createServer,
  type Http2SecureServer,
  type Http2Server,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type ServerHttp2Stream,
} from "node:http2";
import https from "node:https";
import { type AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { httpInstrumentation } from "../src/index.js";
import { type Heard, hear } from "./hear.js";
import { until } from "./serve.js";

const instrumentation = httpInstrumentation({ ignoreIncomingPaths: ["/ignored"] });
let heard: Heard;
let server: Http2Server | Http2SecureServer;
let session: ClientHttp2Session;
let active: number;
let remove: () => void;
beforeEach(() => {
  active = 0;
  heard = hear(instrumentation);
  remove = addListener({
    name: "active",
    operationStarted: ({ kind }) => void (kind === "http.server" && active++),
    operationEnded: (operation) => void (operation.kind === "http.server" && !operation.isStreaming && active--),
    responseEnded: () => void active--,
  });
});
afterEach(async () => {
  remove();
  heard.stop();
  session?.destroy();
  server.close();
  await once(server, "close");
});

/** Names and values in turn. */
const takesLists = Number.parseInt(process.versions.node, 10) >= 24;
const portOf = () => (server.address() as AddressInfo).port;
async function listen(created: Http2Server | Http2SecureServer): Promise<void> {
  server = created.listen(0, "127.0.0.1");
  await once(server, "listening");
}
async function start(onStream: (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void, settings = {}) {
  await listen(createServer({ settings }).on("stream", onStream));
  session = connect(`http://127.0.0.1:${portOf()}`);
}
async function send(headers?: OutgoingHttpHeaders, body?: string): Promise<{ status: unknown; text: string }> {
  const stream = session.request(headers, { endStream: body === undefined });
  if (body !== undefined) stream.end(body);
  const [answer] = (await once(stream, "response")) as [IncomingHttpHeaders];
  return { status: answer[":status"], text: (await stream.setEncoding("utf8").toArray()).join("") };
}
const ended = (count: number) =>
  until(
    () => heard.spans.length,
    (seen) => seen >= count,
  );
const outcomes = (operations: readonly { statusCode: number; errorType: string | undefined }[]) =>
  operations.map(({ statusCode, errorType }) => [statusCode, errorType]);

type Handle = (message: Http2ServerRequest, response: Http2ServerResponse) => void;
const apis: Record<string, () => Promise<void>> = {
  "the core API": () =>
    start((stream) => {
      const { path } = activeRequest()?.operation ?? {};
      let body = "";
      stream
        .setEncoding("utf8")
        .on("data", (chunk: string) => (body += chunk))
        .on("end", () => {
          stream.respond({ ":status": 201 });
          stream.end(`${path} ${activeRequest()?.operation.path} ${body}`);
        });
    }),
  "the compatibility API": async () => {
    const handle: Handle = (message, response) => {
      const { path } = activeRequest()?.operation ?? {};
      let body = "";
      message
        .setEncoding("utf8")
        .on("data", (chunk: string) => (body += chunk))
        .on("end", () => {
          response.writeHead(201);
          response.end(`${path} ${activeRequest()?.operation.path} ${body}`);
        });
    };
    await listen(createServer(handle));
    session = connect(`http://127.0.0.1:${portOf()}`);
  },
};

test.each(Object.keys(apis))("%s: one span on each side, in one trace and in their contexts", async (api) => {
  await apis[api]?.();
  const caller = trace.setSpan(context.active(), heard.provider.getTracer("test").startSpan("caller"));
  const headers = Object.freeze({
    ":method": "POST",
    ":path": "/orders?page=2&token=t",
    ":authority": "shop.test:81",
    "user-agent": "test/1",
    TraceParent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
  });
  expect(await context.with(caller, () => send(headers, "body"))).toEqual({
    status: 201,
    text: "/orders /orders body",
  });
  await ended(2);
  const port = portOf();
  expect(heard.clients).toEqual([
    expect.objectContaining({
      method: "POST",
      url: `http://127.0.0.1:${port}/orders?page=2&token=REDACTED`,
      serverAddress: "127.0.0.1",
      serverPort: port,
      protocolVersion: "2",
      statusCode: 201,
      errorType: undefined,
    }),
  ]);
  expect(heard.servers).toEqual([
    expect.objectContaining({
      method: "POST",
      scheme: "http",
      path: "/orders",
      query: "page=2&token=REDACTED",
      serverAddress: "shop.test",
      serverPort: 81,
      clientAddress: "127.0.0.1",
      userAgent: "test/1",
      protocolVersion: "2",
      statusCode: 201,
      errorType: undefined,
    }),
  ]);
  const [client, served] = [heard.clients[0]?.span?.spanContext(), heard.spans.find(({ kind }) => kind === 1)];
  expect(served?.parentSpanContext?.spanId).toBe(client?.spanId);
  expect(served?.spanContext().traceId).toBe(trace.getSpan(caller)?.spanContext().traceId);
  expect([...heard.ends.values()]).toEqual([1, 1]);
  expect(active).toBe(0);
});

test("many streams of one connection, headers left out, a HEAD, an ignored path, recording suppressed", async () => {
  const paths: unknown[] = [];
  await start((stream, headers) => {
    paths.push([headers[":path"], headers["traceparent"] !== undefined]);
    setTimeout(() => {
      if (activeRequest()?.operation.path !== (headers[":path"] === "/ignored" ? undefined : headers[":path"]))
        paths.push("wrong");
      stream.respond({ ":status": headers[":path"] === "/5" ? 503 : 200 }, { endStream: true });
    }, 10);
  });
  await Promise.all([
    send(),
    send({ ":method": "HEAD", ":path": "/h" }),
    ...[1, 2, 3, 4, 5].map((n) => send({ ":path": `/${n}` })),
  ]);
  await send({ ":path": "/ignored" });
  await ended(15);
  expect(heard.servers).toHaveLength(7);
  expect(heard.clients).toHaveLength(8);
  await context.with(suppress(context.active()), () => send({ ":path": "/ignored" }));
  expect(paths).not.toContain("wrong");
  expect(paths.slice(-2)).toEqual([
    ["/ignored", true],
    ["/ignored", false],
  ]);
  expect(heard.clients).toHaveLength(8);
  expect(heard.servers.filter(({ errorType }) => errorType === "503")).toHaveLength(1);
  expect(active).toBe(0);
});

test("what a server pushes is no request", async () => {
  await start((stream) => {
    stream.pushStream({ ":path": "/pushed" }, (_error, pushed) => {
      pushed.respond();
      pushed.end("pushed");
    });
    stream.respond();
    stream.end("asked");
  });
  const pushes: string[] = [];
  session.on("stream", (stream, headers) => {
    pushes.push(String(headers[":path"]));
    stream.resume();
  });
  expect((await send()).text).toBe("asked");
  await ended(2);
  expect(pushes).toEqual(["/pushed"]);
  expect(heard.started.map(({ kind }) => kind).sort()).toEqual(["http.client", "http.server"]);
});

describe("how a stream ends", () => {
  test("reset by either side, before and after a head; lost with its session", async () => {
    await start((stream, headers) => {
      stream.on("error", () => {});
      const path = headers[":path"];
      if (path === "/refused") stream.close(constants.NGHTTP2_INTERNAL_ERROR);
      else if (path === "/broken") {
        stream.respond();
        stream.write("some");
        stream.destroy(new RangeError("source broke"));
      } else if (path === "/left") {
        stream.respond();
        stream.write("some");
      }
    });
    const refused = session.request({ ":path": "/refused" });
    await once(refused, "error");
    const broken = session.request({ ":path": "/broken" }).resume();
    await once(broken, "error");
    const left = session.request({ ":path": "/left" });
    await once(left, "data");
    left.close(constants.NGHTTP2_CANCEL);
    await ended(6);
    const lost = session.request({ ":path": "/lost" }).on("error", () => {});
    await until(
      () => active,
      (count) => count === 1,
    );
    session.on("error", () => {});
    session.destroy(new TypeError("enough"));
    await new Promise((resolve) => lost.once("close", resolve));
    await ended(8);
    expect(heard.servers.map(({ path, statusCode, errorType }) => [path, statusCode, errorType])).toEqual([
      ["/refused", 0, "aborted"],
      ["/broken", 200, "RangeError"],
      ["/left", 200, undefined],
      ["/lost", 0, "aborted"],
    ]);
    expect(outcomes(heard.clients)).toEqual([
      [0, "ERR_HTTP2_STREAM_ERROR"],
      [200, "ERR_HTTP2_STREAM_ERROR"],
      [200, undefined],
      [0, "TypeError"],
    ]);
    expect([...heard.ends.values()]).toEqual(Array(8).fill(1));
    expect(active).toBe(0);
  });

  test("a request that cannot be sent fails as it would alone", async () => {
    await start(() => {});
    expect(() => session.request({ ":unknown": "x" })).toThrow();
    expect(() => session.request(null as never)).toThrow();
    session.close();
    expect(outcomes(heard.clients)).toHaveLength(heard.started.length);
  });

  test("an event stream and an extended CONNECT end with their heads", async () => {
    await start(
      (stream, headers) => {
        if (headers[":method"] === "CONNECT") stream.respond({ ":status": 200 });
        else stream.respond({ "content-type": "text/event-stream" });
        stream.write("data: 1\n\n");
      },
      { enableConnectProtocol: true },
    );
    await once(session, "remoteSettings");
    const events = session.request({ ":path": "/events" });
    await once(events, "data");
    await ended(2);
    expect(active).toBe(1);
    events.close();
    await until(
      () => active,
      (count) => count === 0,
    );
    const tunnel = session.request(
      { ":method": "CONNECT", ":protocol": "websocket", ":path": "/chat" },
      { endStream: false },
    );
    await once(tunnel, "data");
    await ended(4);
    expect(active).toBe(0);
    tunnel.close();
    expect(outcomes([...heard.servers, ...heard.clients])).toEqual(Array.from({ length: 4 }, () => [200, undefined]));
    expect([...heard.ends.values()]).toEqual([1, 1, 1, 1]);
  });
});

test("by TLS, with HTTP/1 for those who speak no other", async () => {
  // A key that both sides know needs no certificate.
  const psk = Buffer.from("telltale");
  const shared = { ciphers: "PSK", minVersion: "TLSv1.2", maxVersion: "TLSv1.2" } as const;
  await listen(
    createSecureServer({ ...shared, pskCallback: () => psk, allowHTTP1: true } as object, (message, response) =>
      response.end(message.httpVersion),
    ),
  );
  const secret = { ...shared, pskCallback: () => ({ psk, identity: "test" }), checkServerIdentity: () => undefined };
  session = connect(`https://localhost:${portOf()}`, { ...secret, host: "127.0.0.1" } as object);
  expect(await send({ ":path": "/two" })).toEqual({ status: 200, text: "2.0" });
  const old = https.get({ ...secret, port: portOf(), host: "127.0.0.1", path: "/one", agent: false });
  const [answer] = (await once(old, "response")) as [IncomingMessage];
  expect((await answer.setEncoding("utf8").toArray()).join("")).toBe("1.1");
  await ended(4);
  expect(heard.servers.map(({ scheme, path, protocolVersion }) => [scheme, path, protocolVersion])).toEqual([
    ["https", "/two", "2"],
    ["https", "/one", "1.1"],
  ]);
  expect(heard.clients.map(({ url, protocolVersion }) => [url.replace(/:\d+/, ""), protocolVersion])).toEqual([
    ["https://localhost/two", "2"],
    ["https://127.0.0.1/one", "1.1"],
  ]);
});

describe("headers of the app's", () => {
  test("what their getters throw reaches the app, however often, and requests are heard all the same", async () => {
    await start((stream) => stream.respond({}, { endStream: true }));
    let asked = 0;
    for (let n = 1; n <= 3; n += 1) {
      const error = new Error("expected");
      const headers = {
        get ":path"(): string {
          asked += 1;
          throw error;
        },
      };
      expect(() => session.request(headers)).toThrow(error);
      expect(asked).toBe(n);
    }
    const broken = new Proxy(["a", "b"], {
      ownKeys: () => {
        throw new RangeError("expected");
      },
    });
    if (takesLists) expect(() => session.request(broken)).toThrow(RangeError);
    const path = () => `/${(asked += 1)}`;
    expect(await send(Object.defineProperty({}, ":path", { get: path, enumerable: true }))).toMatchObject({
      status: 200,
    });
    await ended(2);
    expect(heard.clients.map(({ url }) => new URL(url).pathname)).toEqual(["/4"]);
    expect(heard.started).toHaveLength(2);
  });

  test("are looked at on a closed session no more than alone", async () => {
    await start(() => {});
    await once(session, "connect");
    session.close();
    const ask = (): number => {
      let asked = 0;
      const headers = {
        get ":path"(): never {
          asked += 1;
          throw new Error("expected");
        },
      };
      expect(() => session.request(headers)).toThrow();
      return asked;
    };
    const watched = [ask(), ask(), ask()];
    expect(outcomes(heard.clients)).toHaveLength(3);
    instrumentation.disable();
    expect(watched).toEqual([ask(), ask(), ask()]);
  });

  test("arrive as they are: of any name, sensitive ones as such, in lists too", async () => {
    const received: unknown[] = [];
    await start((stream, { constructor, traceparent, ...headers }) => {
      received.push([
        headers["x-secret"],
        constructor,
        headers[http2.sensitiveHeaders as never],
        String(traceparent).length,
      ]);
      stream.respond({}, { endStream: true });
    });
    const sensitive = { [http2.sensitiveHeaders]: ["x-secret"] };
    await send({ "x-secret": "s", constructor: "c", traceparent: "mine", ...sensitive } as OutgoingHttpHeaders);
    const list = ["x-secret", "s", "TraceParent", "mine", ":path", "/list", "traceparent", "again", "constructor", "c"];
    if (takesLists) await send(Object.assign(list, sensitive) as never);
    expect(received).toEqual(Array.from({ length: takesLists ? 2 : 1 }, () => ["s", "c", ["x-secret"], 55]));
    expect(list).toHaveLength(10);
  });
});

test("the app's objects carry nothing of it, and what was replaced is restored", async () => {
  await start((stream) => stream.respond({}, { endStream: true }));
  const stream = session.request();
  const names = stream.eventNames().length;
  await once(stream.resume(), "close");
  const sessions = Object.getPrototypeOf(session) as { request: { name: string; length: number } };
  expect([sessions.request.name, sessions.request.length]).toEqual(["request", 2]);
  const replaced = sessions.request;
  heard.stop();
  expect(sessions.request).not.toBe(replaced);
  expect(Object.hasOwn(Object.getPrototypeOf(stream) as object, "emit")).toBe(false);
  const alone = session.request();
  expect(alone.eventNames()).toHaveLength(names);
  await once(alone.resume(), "close");
  expect(http2.connect).toBe(connect);
});

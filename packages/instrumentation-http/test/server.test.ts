import { context, trace } from "@opentelemetry/api";
import { activeRequest, isSuppressed } from "@telltale/core";
import { once } from "node:events";
import http, { createServer, get, type IncomingMessage, request, type ServerResponse } from "node:http";
import { connect, Server } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { httpInstrumentation, ignoreServer } from "../src/index.js";
import { type Heard, hear } from "./hear.js";
import { exchange, listen, serve, until } from "./serve.js";

let heard: Heard;
const instrumentation = httpInstrumentation({ ignoreIncomingPaths: ["/health", /^\/internal\//g] });
beforeEach(() => {
  heard = hear(instrumentation);
});
afterEach(() => heard.stop());

const ended = (count: number) =>
  until(
    () => heard.servers,
    (servers) => servers.length >= count,
  );

test("a request becomes one operation and one span", async () => {
  const { port, close } = await serve((_request, response) => response.writeHead(201).end("made"));
  await exchange(
    port,
    `PUT /orders/7?page=2&token=t HTTP/1.1\r\nHost: shop.test:8080\r\nUser-Agent: test/1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`,
    "made",
  );
  await ended(1);
  await close();
  expect(heard.servers).toEqual([
    expect.objectContaining({
      kind: "http.server",
      method: "PUT",
      originalMethod: undefined,
      scheme: "http",
      path: "/orders/7",
      query: "page=2&token=REDACTED",
      serverAddress: "shop.test",
      serverPort: 8080,
      clientAddress: "127.0.0.1",
      userAgent: "test/1",
      protocolVersion: "1.1",
      statusCode: 201,
      errorType: undefined,
    }),
  ]);
  expect(heard.spans.map(({ name, status }) => [name, status.code])).toEqual([["PUT", 0]]);
});

test.each([
  [200, undefined],
  [304, undefined],
  [404, undefined],
  [500, "500"],
  [503, "503"],
])("status %i gives error.type %s", async (status, errorType) => {
  const { url, close } = await serve((_request, response) => response.writeHead(status).end());
  await fetch(url);
  await ended(1);
  await close();
  expect(heard.servers[0]).toMatchObject({ statusCode: status, errorType });
});

test("the incoming traceparent is the parent, the handler's span the active one", async () => {
  const seen: unknown[] = [];
  const { port, close } = await serve((_request, response) => {
    seen.push(trace.getActiveSpan()?.spanContext().spanId, activeRequest()?.operation.path);
    response.end("ok");
  });
  await exchange(
    port,
    "GET /a HTTP/1.1\r\nHost: a\r\ntraceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\nConnection: close\r\n\r\n",
    "ok",
  );
  await ended(1);
  await close();
  const [span] = heard.spans;
  expect(span?.spanContext().traceId).toBe("0af7651916cd43dd8448eb211c80319c");
  expect(span?.parentSpanContext?.spanId).toBe("b7ad6b7169203331");
  expect(seen).toEqual([span?.spanContext().spanId, "/a"]);
});

test("a server that listens within a span gives its requests traces of their own", async () => {
  const tracer = heard.provider.getTracer("test");
  const outer = tracer.startSpan("outer");
  const running = await context.with(trace.setSpan(context.active(), outer), () =>
    serve((_request, response) => response.end("ok")),
  );
  await exchange(running.port, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "ok");
  await ended(1);
  await running.close();
  expect(heard.spans[0]?.parentSpanContext).toBeUndefined();
});

test("listeners for the body, its end and the response's end belong to the request", async () => {
  const paths: (string | undefined)[] = [];
  const note = (): void => void paths.push(activeRequest()?.operation.path);
  const { port, close } = await serve((message, response) => {
    message.on("data", note);
    message.on("end", () => {
      note();
      response.on("finish", note).on("close", note).end("ok");
    });
  });
  const socket = connect(port, "127.0.0.1");
  socket.write("POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n");
  // The body comes in packets of its own, on the connection's context.
  for (const part of ["ab", "cd"]) {
    await new Promise((resolve) => setTimeout(resolve, 30));
    socket.write(part);
  }
  await until(
    () => paths,
    () => paths.length === 5,
  );
  socket.destroy();
  await close();
  expect(paths).toEqual(Array(5).fill("/upload"));
});

describe("how a request ends", () => {
  test("pipelined requests end each on its own, in their own context", async () => {
    const seen: [string | undefined, string | undefined][] = [];
    const { port, close } = await serve((message, response) => {
      const delay = message.url === "/1" ? 60 : 5;
      setTimeout(() => {
        seen.push([message.url, activeRequest()?.operation.path]);
        response.end("DONE");
      }, delay);
    });
    const texts = [1, 2, 3].map((id) => `GET /${id} HTTP/1.1\r\nHost: a\r\n\r\n`);
    await exchange(port, texts.join(""), "DONE", 3);
    await ended(3);
    await close();
    expect(seen).toEqual([
      ["/2", "/2"],
      ["/3", "/3"],
      ["/1", "/1"],
    ]);
    expect(heard.servers.map(({ path, statusCode, errorType }) => [path, statusCode, errorType])).toEqual([
      ["/1", 200, undefined],
      ["/2", 200, undefined],
      ["/3", 200, undefined],
    ]);
  });

  test("a client that leaves ends all that it had asked for, those behind in the pipeline too", async () => {
    const { port, close } = await serve((message) => void message.resume());
    const socket = connect(port, "127.0.0.1");
    socket.write([1, 2, 3].map((id) => `GET /${id} HTTP/1.1\r\nHost: a\r\n\r\n`).join(""));
    await until(
      () => heard.started,
      (started) => started.length === 3,
    );
    expect(heard.servers).toEqual([]);
    socket.destroy();
    await ended(3);
    await close();
    expect(heard.servers.map(({ path, statusCode, errorType }) => [path, statusCode, errorType]).sort()).toEqual([
      ["/1", 0, "aborted"],
      ["/2", 0, "aborted"],
      ["/3", 0, "aborted"],
    ]);
    expect([...heard.ends.values()]).toEqual([1, 1, 1]);
  });

  test("a response that the app destroys with an error has failed", async () => {
    const { port, close } = await serve((_request, response) => {
      response.on("error", () => {});
      response.writeHead(200).write("some");
      response.destroy(new RangeError("source broke"));
    });
    await exchange(port, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "never");
    await ended(1);
    await close();
    expect(heard.servers[0]).toMatchObject({ statusCode: 200, errorType: "RangeError" });
  });

  test("what getters of the app's own throw is no failure of ours, however often, and the request ends", async () => {
    const thrower = {
      get: (): never => {
        throw new Error("expected");
      },
    };
    const { url, close } = await serve((message, response) => {
      Object.defineProperty(response, "errored", thrower);
      if (message.url === "/lost") message.socket.destroy();
      else response.end("ok");
    });
    for (let n = 1; n <= 3; n++) expect(await (await fetch(url)).text()).toBe("ok");
    await new Promise<void>((resolve) => {
      const sent = get(`${url}/lost`)
        .on("error", () => {})
        .on("close", resolve);
      expect(sent.reusedSocket).toBe(false);
    });
    await ended(4);
    expect(heard.servers.map(({ path, statusCode, errorType }) => [path, statusCode, errorType])).toEqual([
      ...Array.from({ length: 3 }, () => ["/", 200, undefined]),
      ["/lost", 0, "aborted"],
    ]);
    expect(new Set(heard.ends.values())).toEqual(new Set([1]));
    await close();
  });

  test("keep-alive connections, HEAD, 1xx and a late end are counted once each", async () => {
    const { port, close } = await serve((message, response) => {
      if (message.url === "/early") response.writeEarlyHints({ link: "</a.css>; rel=preload" });
      message.resume().on("end", () => setTimeout(() => response.end("DONE"), 10));
    });
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    for (const [method, path] of [
      ["GET", "/a"],
      ["HEAD", "/b"],
      ["POST", "/c"],
      ["GET", "/early"],
    ] as const) {
      const [response] = (await once(
        request({ port, method, path, agent }).end(method === "POST" ? "body" : undefined),
        "response",
      )) as [IncomingMessage];
      await once(response.resume(), "end");
    }
    await ended(4);
    agent.destroy();
    await close();
    expect(heard.servers.map(({ method, path, statusCode }) => `${method} ${path} ${statusCode}`)).toEqual([
      "GET /a 200",
      "HEAD /b 200",
      "POST /c 200",
      "GET /early 200",
    ]);
    expect([...heard.ends.values()]).toEqual(Array(8).fill(1));
  });

  test("a span can still be annotated when the response has finished", async () => {
    const { port, close } = await serve((_request, response) => {
      response.on("finish", () => trace.getActiveSpan()?.setAttribute("late", true)).end("ok");
    });
    await exchange(port, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "ok");
    await ended(1);
    await close();
    expect(heard.spans[0]?.attributes["late"]).toBe(true);
  });
});

describe("how a request begins", () => {
  const continued =
    "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi";

  test("Expect: 100-continue, with and without the app's own check, is one request", async () => {
    const plain = await serve((_request, response) => response.end("DONE"));
    expect(await exchange(plain.port, continued, "DONE")).toContain("100 Continue");
    await plain.close();

    let within: string | undefined;
    const checking = createServer((_request, response) => response.end("DONE"));
    checking.on("checkContinue", (message: IncomingMessage, response: ServerResponse) => {
      within = activeRequest()?.operation.path;
      response.writeContinue();
      checking.emit("request", message, response);
    });
    const running = await listen(checking);
    expect(await exchange(running.port, continued, "DONE")).toContain("100 Continue");
    await running.close();
    await ended(2);
    expect(within).toBe("/");
    expect(heard.servers).toHaveLength(2);
    expect(heard.started.filter(({ kind }) => kind === "http.server")).toHaveLength(2);
  });

  test("listeners added later, several of them, and once", async () => {
    const running = await listen(createServer());
    const seen: unknown[] = [];
    running.server.once("request", () => void seen.push(activeRequest()?.operation.path));
    running.server.on("request", (_request, response) => {
      seen.push(activeRequest()?.operation.path);
      response.end("DONE");
    });
    await exchange(running.port, "GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "DONE");
    await ended(1);
    await running.close();
    expect(seen).toEqual(["/x", "/x"]);
    expect(heard.servers).toHaveLength(1);
  });

  test("other methods, other targets and a strange Host are bounded", async () => {
    const { port, close } = await serve((_request, response) => response.end("DONE"));
    const end = "Connection: close\r\n\r\n";
    await exchange(port, `PROPFIND /dav HTTP/1.1\r\nHost: <b>\r\n${end}`, "DONE");
    await exchange(port, `OPTIONS * HTTP/1.1\r\nHost: a\r\n${end}`, "DONE");
    await exchange(port, `GET http://u:p@b.test/x?sig=1 HTTP/1.0\r\n${end}`, "DONE");
    await ended(3);
    await close();
    expect(
      heard.servers.map(({ method, originalMethod, path, query, serverAddress, protocolVersion }) => [
        method,
        originalMethod,
        path,
        query,
        serverAddress,
        protocolVersion,
      ]),
    ).toEqual([
      ["_OTHER", "PROPFIND", "/dav", undefined, undefined, "1.1"],
      ["OPTIONS", undefined, "*", undefined, "a", "1.1"],
      ["GET", undefined, "/x", "sig=REDACTED", undefined, "1.0"],
    ]);
    expect(heard.spans.map(({ name }) => name)).toEqual(["HTTP", "OPTIONS", "GET"]);
  });
});

describe("what is left alone", () => {
  test("ignored paths and all that is done for them", async () => {
    const inner = await serve((_request, response) => response.end("inner"));
    const outer = await serve(async (_request, response) => {
      await fetch(inner.url);
      response.end(String(isSuppressed(context.active())));
    });
    const answers = [];
    for (const path of ["/health?full=1", "/internal/a", "/internal/b", "/healthy", "/x/internal/"]) {
      const { port } = outer;
      const [response] = (await once(get({ port, path }), "response")) as [IncomingMessage];
      answers.push((await response.toArray()).join(""));
    }
    await until(
      () => heard.servers,
      (servers) => servers.filter(({ path }) => path !== "/").length === 2,
    );
    await outer.close();
    await inner.close();
    expect(answers).toEqual(["true", "true", "true", "false", "false"]);
    expect(heard.servers.map(({ path }) => path).sort()).toEqual(["/", "/", "/", "/", "/", "/healthy", "/x/internal/"]);
    // Only for what is not ignored was a request sent on.
    expect(heard.clients.filter(({ url }) => url.startsWith(inner.url))).toHaveLength(2);
  });

  test("an ignored server", async () => {
    const running = await serve((_request, response) => response.end(String(activeRequest() === undefined)));
    ignoreServer(running.server);
    const [response] = (await once(get(running.url), "response")) as [IncomingMessage];
    expect((await response.toArray()).join("")).toBe("true");
    await running.close();
    expect(heard.servers).toEqual([]);
  });
});

test("the app finds no listener that it did not add", async () => {
  const count = (): Promise<Record<string, number>> =>
    new Promise((resolve) => {
      void serve((message, response) => {
        const counts: Record<string, number> = {};
        for (const [name, emitter] of Object.entries({ message, response, socket: message.socket })) {
          for (const event of emitter.eventNames()) counts[`${name} ${String(event)}`] = emitter.listenerCount(event);
        }
        response.end();
        response.on("close", () => resolve(counts));
      }).then(({ url, close }) => fetch(url).then(close));
    });
  const instrumented = await count();
  heard.stop();
  expect(instrumented).toEqual(await count());
});

test("nor on a connection whose requests wait behind each other", async () => {
  const look = (): Promise<unknown> =>
    new Promise((resolve) => {
      let waiting = 0;
      void serve(({ socket }) => {
        if (++waiting < 3) return;
        const events = socket.eventNames().map((event) => [event, socket.listenerCount(event)]);
        const { name, length } = socket.emit;
        resolve({ events, listed: Object.keys(socket).includes("emit"), name, length });
        socket.destroy();
      }).then(({ port, close }) => {
        const socket = connect(port, "127.0.0.1").on("error", () => {});
        socket.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n".repeat(3));
        socket.on("close", () => void close());
      });
    });
  const instrumented = await look();
  heard.stop();
  expect(instrumented).toEqual(await look());
});

test("what an app's own emit hands to its listeners beyond request and response arrives", async () => {
  const counts: unknown[] = [];
  const server = createServer();
  server.on("request", (_request: IncomingMessage, response: ServerResponse, ...more: unknown[]) => {
    counts.push(more, activeRequest()?.operation.path);
    response.end();
  });
  const { emit } = server;
  server.emit = function emitMore(this: http.Server, event: string, ...args: unknown[]) {
    return Reflect.apply(emit, this, [event, ...args, ...(event === "request" ? ["third", "fourth"] : [])]) as boolean;
  } as typeof emit;
  const { url, close } = await listen(server);
  await fetch(`${url}/more`);
  await ended(1);
  await close();
  expect(counts).toEqual([["third", "fourth"], "/more"]);
});

test("messages without a connection, emitted by hand, are handled as alone, and switch nothing off", () => {
  const answered: unknown[] = [];
  const server = createServer((message, response) => {
    answered.push(message.url);
    response.end();
  });
  for (const socket of [undefined, null, undefined, { remoteAddress: "10.0.0.1" }]) {
    const message = Object.assign(new http.IncomingMessage(socket as never), { url: "/fake", method: "GET" });
    const response = new http.ServerResponse(message);
    expect(server.emit("request", message, response)).toBe(true);
    // Without a connection that Node has made, it does so for nobody.
    response.emit("close");
  }
  expect(answered).toEqual(Array(4).fill("/fake"));
});

test("disable puts everything back, and enable works again", async () => {
  const owners = [Server, http.IncomingMessage, http.ServerResponse, http.ClientRequest];
  const own = () => owners.map(({ prototype }) => Object.hasOwn(prototype, "emit"));
  expect(own()).toEqual([true, true, true, true]);
  instrumentation.disable();
  expect(own()).toEqual([false, false, false, false]);
  const { url, close } = await serve((_request, response) => response.end());
  await fetch(url);
  expect(heard.started).toEqual([]);
  instrumentation.enable();
  await fetch(url);
  await ended(1);
  await close();
});

test("where another tool has wrapped ours, disabling leaves theirs, and ours silent", async () => {
  const { prototype } = http.Server;
  const ours = prototype.emit;
  let theirs = 0;
  prototype.emit = function emit(this: http.Server, ...args: Parameters<typeof ours>) {
    theirs++;
    return ours.apply(this, args);
  } as typeof ours;
  instrumentation.disable();
  const { url, close } = await serve((_request, response) => response.end("ok"));
  expect(await (await fetch(url)).text()).toBe("ok");
  await close();
  expect(theirs).toBeGreaterThan(0);
  expect(heard.started).toEqual([]);
  Reflect.deleteProperty(prototype, "emit");
});

test("200 interleaved requests keep their own context", async () => {
  const { port, close } = await serve(async (message, response) => {
    const { url } = message;
    const seen = [];
    for (let step = 0; step < 3; step++) {
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 10));
      seen.push(activeRequest()?.operation.path);
    }
    response.end(String(seen.every((path) => path === url)));
  });
  const agent = new http.Agent({ keepAlive: true, maxSockets: 20 });
  const answers = await Promise.all(
    Array.from({ length: 200 }, async (_, id) => {
      const [response] = (await once(get({ port, path: `/${id}`, agent }), "response")) as [IncomingMessage];
      return (await response.toArray()).join("");
    }),
  );
  await ended(200);
  agent.destroy();
  await close();
  expect(answers).toEqual(Array(200).fill("true"));
  expect(new Set(heard.servers.map(({ path }) => path)).size).toBe(200);
  expect(new Set(heard.ends.values())).toEqual(new Set([1]));
});

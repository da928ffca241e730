import { readPools } from "@telltale/core";
import { once } from "node:events";
import http, { type IncomingMessage, type ServerResponse } from "node:http";
import http2, { type ServerHttp2Stream } from "node:http2";
import { createRequire } from "node:module";
import { type AddressInfo, Server, Socket } from "node:net";
import { PassThrough } from "node:stream";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { fastifyInstrumentation, httpInstrumentation } from "../src/index.js";
import { type Heard, hear } from "./hear.js";
import { serve, until } from "./serve.js";

const instrumentation = httpInstrumentation();
const routes = fastifyInstrumentation();
let heard: Heard;
beforeEach(() => {
  heard = hear(instrumentation, routes);
});
afterEach(() => heard.stop());

type Method = (this: unknown, ...args: unknown[]) => unknown;

/** Wraps a method as others do who came later. */
function wrapAgain(owner: object, name: string): () => void {
  const own = Object.getOwnPropertyDescriptor(owner, name);
  const below = Reflect.get(owner, name) as Method;
  Reflect.set(owner, name, function (this: unknown, ...args: unknown[]) {
    return Reflect.apply(below, this, args);
  });
  return () => void (own === undefined ? Reflect.deleteProperty(owner, name) : Object.defineProperty(owner, name, own));
}

const ownsEmit = () =>
  [Server, http.IncomingMessage, http.ServerResponse, http.ClientRequest].map(({ prototype }) =>
    Object.hasOwn(prototype, "emit"),
  );

// The first of this file: sessions are looked for once in a process.
test("the first connection after it was disabled looks for no HTTP/2", async () => {
  const restore = wrapAgain(Socket.prototype, "connect");
  instrumentation.disable();
  const session = http2.connect("http://localhost", { createConnection: () => new PassThrough() });
  const { request } = Object.getPrototypeOf(session) as typeof session;
  session.on("error", () => {}).destroy();
  const { url, close } = await serve((_request, response) => response.end("ok"));
  await fetch(url);
  expect((Object.getPrototypeOf(session) as typeof session).request).toBe(request);
  restore();
  await close();
});

describe.each(["disabled", "disabled and enabled"])("requests that are open while it is %s", (what) => {
  test("end when they end, once, and everything is put back then", async () => {
    const held: (() => void)[] = [];
    const one = await serve((_request, response) => void held.push(() => response.end("ok")));
    const two = http2.createServer().on("stream", (stream: ServerHttp2Stream) => {
      stream.respond({ ":status": 200 });
      held.push(() => stream.end("ok"));
    });
    await once(two.listen(0, "127.0.0.1"), "listening");
    const session = http2.connect(`http://127.0.0.1:${(two.address() as AddressInfo).port}`);
    const stream = session.request();
    const events = await serve((_request, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" }).write("data: 1\n\n");
      held.push(() => response.end());
    });
    const answers = [
      fetch(one.url).then((response) => response.text()),
      new Promise((resolve) => http.get(one.url, (answer) => answer.resume().on("end", resolve))),
      fetch(events.url).then((response) => response.text()),
      once(stream.resume(), "end"),
    ];
    await until(
      () => held.length,
      (count) => count === 4,
    );
    // The event streams have ended with their heads, and go on.
    await until(
      () => heard.ends.size,
      (count) => count === 2,
    );
    instrumentation.disable();
    expect(ownsEmit()).toEqual([true, true, true, true]);
    if (what !== "disabled") instrumentation.enable();
    for (const end of held) end();
    await Promise.all(answers);
    await until(
      () => heard.ends.size,
      (count) => count === 8,
    );
    expect(heard.started).toHaveLength(8);
    expect([...heard.ends.values()]).toEqual(Array(8).fill(1));
    for (const operation of heard.started)
      expect(operation).toMatchObject({
        statusCode: 200,
        errorType: undefined,
        ...(operation.kind === "http.server" && { isStreaming: false }),
      });
    instrumentation.disable();
    expect(ownsEmit()).toEqual([false, false, false, false]);
    session.destroy();
    two.close();
    await one.close();
    await events.close();
  });
});

test("what others have wrapped again is silent", async () => {
  const undo = [wrapAgain(http.Agent.prototype, "createSocket"), wrapAgain(Socket.prototype, "connect")];
  const fastify = createRequire(import.meta.url)("fastify") as typeof import("fastify").default;
  const Router = Object.getPrototypeOf(
    new (createRequire(createRequire(import.meta.url).resolve("fastify"))("find-my-way") as new () => object)(),
  ) as object;
  undo.push(wrapAgain(Router, "callHandler"));
  const app = fastify().get("/things/:id", () => "ok");
  await app.listen({ port: 0, host: "127.0.0.1" });
  const { port } = app.server.address() as AddressInfo;
  routes.disable();
  const agent = new http.Agent({ keepAlive: true });
  const get = async (path: string) => {
    const [answer] = (await once(http.get({ port, host: "127.0.0.1", path, agent }), "response")) as [IncomingMessage];
    await once(answer.resume(), "end");
  };
  await get("/things/1");
  await until(
    () => heard.servers.length,
    (count) => count === 1,
  );
  expect(heard.servers[0]?.request?.route).toBe(undefined);
  instrumentation.disable();
  agent.destroy();
  await get("/things/2");
  expect(readPools().map(({ pool }) => pool.name)).toEqual([]);
  agent.destroy();
  for (const step of undo) step();
  await app.close();
});

test("pools go, and come back with the next connection", async () => {
  const { url, close } = await serve((_request: IncomingMessage, response: ServerResponse) => response.end("ok"));
  const agent = new http.Agent({ keepAlive: true });
  const askBoth = async () => {
    await (await fetch(url)).text();
    const [answer] = (await once(http.get(url, { agent }), "response")) as [IncomingMessage];
    await once(answer.resume(), "end");
  };
  const names = () =>
    readPools()
      .map(({ pool }) => pool.name)
      .filter((name) => name.startsWith(url));
  await askBoth();
  expect(names()).toEqual([url, `${url}#2`]);
  instrumentation.disable();
  expect(names()).toEqual([]);
  instrumentation.enable();
  // A new connection for each.
  agent.destroy();
  await Promise.all([askBoth(), askBoth()]);
  expect(names()).toEqual([url, `${url}#2`]);
  agent.destroy();
  await close();
});

import { addListener } from "@telltale/core";
import { once } from "node:events";
import http, { get, type IncomingMessage, request, type ServerResponse } from "node:http";
import { connect, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { WebSocket as WsClient, WebSocketServer } from "ws";
import { httpInstrumentation } from "../src/index.js";
import { type Heard, hear } from "./hear.js";
import { exchange, serve, type Serving, until } from "./serve.js";

// What stays open for as long as its sides like: no span does.

let heard: Heard;
let running: Serving;
/** Served operations that are active: begun, and neither ended nor streaming on. */
let active: number;
let remove: () => void;
beforeEach(() => {
  active = 0;
  heard = hear(httpInstrumentation());
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
  await running.close();
});

const ended = (count: number) =>
  until(
    () => heard.spans,
    (spans) => spans.length >= count,
  );
const outcomes = (operations: readonly { statusCode: number; errorType: string | undefined }[]) =>
  operations.map(({ statusCode, errorType }) => [statusCode, errorType]);
const endsOfAll = () => [...heard.ends.values()];

describe("WebSockets", () => {
  async function serveSockets(): Promise<{ sockets: WebSocketServer; url: string; keys: string[][] }> {
    const keys: string[][] = [];
    running = await serve((_request, response) => response.end());
    running.server.prependListener("upgrade", (_message, socket) => keys.push(Object.keys(socket)));
    const sockets = new WebSocketServer({
      server: running.server,
      verifyClient: ({ req }: { req: IncomingMessage }) => req.url !== "/refused",
    });
    sockets.on("connection", (socket) => socket.on("message", (data) => socket.send(String(data))));
    return { sockets, url: running.url.replace("http", "ws"), keys };
  }

  test.each(["ws", "Node's own client"])("%s: both sides end at 101, and belong together", async (which) => {
    const { sockets, url } = await serveSockets();
    const client = which === "ws" ? new WsClient(`${url}/chat`) : new WebSocket(`${url}/chat`);
    const heardOf = (event: "open" | "message" | "close") =>
      new Promise<Event & { readonly data?: unknown }>((resolve) =>
        (client as WebSocket).addEventListener(event, resolve),
      );
    await heardOf("open");
    await ended(2);
    expect(active).toBe(0);
    expect(heard.servers.map(({ method, path }) => [method, path])).toEqual([["GET", "/chat"]]);
    expect(outcomes([...heard.servers, ...heard.clients])).toEqual([
      [101, undefined],
      [101, undefined],
    ]);
    expect(heard.servers[0]?.span?.spanContext().traceId).toBe(heard.clients[0]?.span?.spanContext().traceId);
    // It goes on as it would alone.
    const answered = heardOf("message");
    client.send("hello");
    expect((await answered).data).toBe("hello");
    const closed = heardOf("close");
    client.close();
    await closed;
    sockets.close();
    expect(endsOfAll()).toEqual([1, 1]);
  });

  test("refused", async () => {
    const { sockets, url } = await serveSockets();
    const client = new WsClient(`${url}/refused`);
    await once(client, "error");
    await ended(2);
    sockets.close();
    expect(active).toBe(0);
    expect(outcomes([...heard.servers, ...heard.clients])).toEqual([
      [401, undefined],
      [401, "401"],
    ]);
  });

  test("a socket that is never answered ends with its connection; nothing of ours stays on one that is", async () => {
    running = await serve(() => {});
    const seen: string[][] = [];
    running.server.on("upgrade", (message: IncomingMessage, socket: Socket) => {
      seen.push(Object.keys(socket));
      socket
        .on("error", () => {})
        .on("end", () => socket.end())
        .resume();
      if (message.url !== "/answered") return;
      socket.write(Buffer.from("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n"));
      seen.push(["write", "end", "emit"].filter((name) => Object.hasOwn(socket, name)));
    });
    const upgrade = "Host: a\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n";
    await exchange(running.port, `GET /answered HTTP/1.1\r\n${upgrade}`, "\r\n\r\n");
    await ended(1);
    const socket = connect(running.port, "127.0.0.1");
    socket.write(`GET /left HTTP/1.1\r\n${upgrade}`);
    await until(
      () => active,
      (count) => count === 1,
    );
    socket.destroy();
    await ended(2);
    expect(active).toBe(0);
    expect(outcomes(heard.servers)).toEqual([
      [101, undefined],
      [0, "aborted"],
    ]);
    expect(seen[1]).toEqual([]);
    expect(seen[0]).not.toEqual(expect.arrayContaining(["write"]));
    expect(seen[0]).not.toEqual(expect.arrayContaining(["emit"]));
  });
});

test("CONNECT: both sides end with the answer", async () => {
  running = await serve(() => {});
  running.server.on("connect", (_message: IncomingMessage, socket: Socket) => {
    socket.write("HTTP/1.1 200 Connection Established\r\n\r\n");
    socket.on("end", () => socket.end()).resume();
  });
  const sent = request({ port: running.port, method: "CONNECT", path: "a.test:443" }).end();
  const [, socket] = (await once(sent, "connect")) as [IncomingMessage, Socket];
  await ended(2);
  expect(active).toBe(0);
  expect(outcomes([...heard.servers, ...heard.clients])).toEqual([
    [200, undefined],
    [200, undefined],
  ]);
  expect(heard.servers[0]).toMatchObject({ method: "CONNECT" });
  socket.destroy();
});

describe("event streams", () => {
  const heads: Record<string, (response: ServerResponse) => void> = {
    "writeHead and write": (response) => {
      response.writeHead(200, { "Content-Type": "text/event-stream; charset=utf-8" });
      response.write("data: 1\n\n");
    },
    "setHeader and flushHeaders": (response) => {
      response.setHeader("content-type", "text/event-stream");
      response.flushHeaders();
      response.write("data: 1\n\n");
    },
    "headers as an array": (response) => {
      response.writeHead(200, ["content-type", "text/event-stream"]);
      response.write("data: 1\n\n");
    },
  };
  test.each(Object.keys(heads))("%s: both sides end with the head, and it is active until it is over", async (how) => {
    const responses: ServerResponse[] = [];
    running = await serve((_request, response) => {
      responses.push(response);
      heads[how]?.(response);
    });
    const sent = get(`${running.url}/events`);
    const [answer] = (await once(sent, "response")) as [IncomingMessage];
    const chunk = await new Promise((resolve) => answer.once("data", resolve));
    expect(String(chunk)).toBe("data: 1\n\n");
    await ended(2);
    expect(outcomes([...heard.servers, ...heard.clients])).toEqual([
      [200, undefined],
      [200, undefined],
    ]);
    expect(active).toBe(1);
    // One is ended by the server, the others by a client that leaves.
    if (how === "headers as an array") responses[0]?.end();
    else sent.destroy();
    await until(
      () => active,
      (count) => count === 0,
    );
    expect(endsOfAll()).toEqual([1, 1]);
  });

  test("any other stream ends with its last byte", async () => {
    const responses: ServerResponse[] = [];
    running = await serve((_request, response) => {
      responses.push(response);
      response.writeHead(200, { "content-type": "application/x-ndjson" }).write("{}\n");
    });
    const [answer] = (await once(get(running.url), "response")) as [IncomingMessage];
    await new Promise((resolve) => answer.once("data", resolve));
    expect(heard.spans).toEqual([]);
    responses[0]?.end();
    answer.resume();
    await ended(2);
    expect(active).toBe(0);
  });
});

test("HEAD, Expect: 100-continue and an aborted request are one each on both sides", async () => {
  running = await serve((message, response) => {
    if (message.url === "/never") return;
    message.resume().on("end", () => response.end("ok"));
  });
  const { port } = running;
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  const [head] = (await once(request({ port, method: "HEAD", agent }).end(), "response")) as [IncomingMessage];
  await once(head.resume(), "end");
  const careful = request({ port, method: "PUT", agent, headers: { expect: "100-continue" } });
  careful.flushHeaders();
  await once(careful, "continue");
  careful.end("body");
  const [put] = (await once(careful, "response")) as [IncomingMessage];
  await once(put.resume(), "end");
  await ended(4);
  const aborted = request({ port, path: "/never", agent }).end();
  await until(
    () => active,
    (count) => count === 1,
  );
  aborted.destroy();
  await once(aborted, "error");
  await ended(6);
  agent.destroy();
  expect(active).toBe(0);
  expect(outcomes(heard.servers)).toEqual([
    [200, undefined],
    [200, undefined],
    [0, "aborted"],
  ]);
  expect(outcomes(heard.clients)).toEqual([
    [200, undefined],
    [200, undefined],
    [0, "ECONNRESET"],
  ]);
  expect(endsOfAll()).toEqual([1, 1, 1, 1, 1, 1]);
});

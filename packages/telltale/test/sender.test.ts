import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import { gunzipSync } from "node:zlib";
import { afterEach, expect, onTestFinished, test } from "vitest";
import { createSender } from "../src/otlp/sender.js";
import { payload, settings } from "./bare-collector.js";

// A collector here is a plain HTTP server that answers as told: what is tested is the sender's side of the wire.
let server: Server | undefined;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

interface Seen {
  readonly at: number;
  readonly headers: IncomingMessage["headers"];
  readonly body: Buffer;
}

async function collector(
  answer: (response: ServerResponse, nth: number) => void,
): Promise<{ url: string; seen: Seen[] }> {
  const seen: Seen[] = [];
  server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    seen.push({ at: performance.now(), headers: request.headers, body: Buffer.concat(chunks) });
    answer(response, seen.length);
  });
  await new Promise<void>((resolve) => {
    server?.listen(0, "127.0.0.1", resolve);
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/traces`, seen };
}

test("posts the payload with its headers", async () => {
  const { url, seen } = await collector((response) => response.end());
  await expect(createSender(settings(url, { headers: { "x-token": "t" } })).send(payload)).resolves.toMatchObject({
    ok: true,
  });
  expect(seen[0]?.headers).toMatchObject({
    "content-type": "application/x-protobuf",
    "x-token": "t",
    "user-agent": "telltale/test",
  });
  expect(seen[0]?.body).toEqual(payload);
});

test("compresses when asked", async () => {
  const { url, seen } = await collector((response) => response.end());
  await createSender(settings(url, { gzip: true })).send(payload);
  expect(seen[0]?.headers["content-encoding"]).toBe("gzip");
  expect(gunzipSync(seen[0]?.body ?? "")).toEqual(payload);
});

test.each([429, 502, 503, 504])("%i is tried again", async (status) => {
  const { url, seen } = await collector((response, nth) => response.writeHead(nth === 1 ? status : 200).end());
  await expect(createSender(settings(url)).send(payload)).resolves.toMatchObject({ ok: true });
  expect(seen).toHaveLength(2);
});

test.each([400, 401, 404, 500])("%i is not tried again", async (status) => {
  const { url, seen } = await collector((response) => response.writeHead(status).end());
  await expect(createSender(settings(url)).send(payload)).resolves.toEqual({ ok: false, reason: `HTTP ${status}` });
  expect(seen).toHaveLength(1);
});

test("Retry-After is obeyed", async () => {
  const { url, seen } = await collector((response, nth) =>
    response.writeHead(nth === 1 ? 503 : 200, nth === 1 ? { "retry-after": "1" } : {}).end(),
  );
  await createSender(settings(url)).send(payload);
  expect((seen[1]?.at ?? 0) - (seen[0]?.at ?? 0)).toBeGreaterThan(950);
});

test.each(["0", "-1", "", "Thu, 01 Jan 1970 00:00:00 GMT"])(
  "a Retry-After of %j is no reason to hurry",
  async (value) => {
    let asked = 0;
    const { url } = await collector((response) => {
      asked++;
      response.writeHead(503, { "retry-after": value }).end();
    });
    const delivery = await createSender(settings(url, { timeoutMs: 1_000 })).send(payload);
    expect(delivery).toEqual({ ok: false, reason: "HTTP 503" });
    expect(asked).toBe(2);
  },
);

test("a Retry-After beyond the timeout is given up at once", async () => {
  const { url } = await collector((response) => response.writeHead(503, { "retry-after": "60" }).end());
  const from = performance.now();
  await expect(createSender(settings(url)).send(payload)).resolves.toEqual({ ok: false, reason: "HTTP 503" });
  expect(performance.now() - from).toBeLessThan(1_000);
});

test("no answer ends with the timeout", async () => {
  const { url } = await collector(() => {});
  const delivery = await createSender(settings(url, { timeoutMs: 200 })).send(payload);
  expect(delivery).toMatchObject({ ok: false, reason: expect.stringMatching(/^no answer in \d+ ms$/) });
});

test("an answer whose body never ends is taken when the time is over", async () => {
  const { url } = await collector((response) => void response.writeHead(200).write("{"));
  const delivery = await createSender(settings(url, { timeoutMs: 200 })).send(payload);
  expect(delivery).toMatchObject({ ok: true });
});

test("a delivery settles when all of its bytes are sent, even if the answer came first", async () => {
  const size = 20_000_000;
  const received: Buffer[] = [];
  let bytes = 0;
  const early = createTcpServer((socket) => {
    socket.once("data", (first: Buffer) => {
      socket.write("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
      const head = first.indexOf("\r\n\r\n") + 4;
      take(first.subarray(head));
      // Most of it is not sent yet when the answer arrives.
      socket.pause().on("data", take);
      setTimeout(() => socket.resume(), 100);
    });
  });
  const take = (chunk: Buffer): void => {
    received.push(chunk);
    bytes += chunk.length;
  };
  await new Promise<void>((resolve) => void early.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void early.close());
  const large = Buffer.alloc(size, 1);
  const sender = createSender(settings(`http://127.0.0.1:${(early.address() as AddressInfo).port}/`));
  await expect(sender.send(large)).resolves.toMatchObject({ ok: true });
  large.fill(2);
  await expect.poll(() => bytes).toBe(size);
  expect(received.every((chunk) => chunk.every((byte) => byte === 1))).toBe(true);
});

test("a connection that the collector closed while it was idle costs no try, not even in a hurry", async () => {
  let answers = 0;
  const { url, seen } = await collector((response) => {
    answers++;
    response.end(() => {
      // Without a word in the answer, and just after it: the next request meets a closed connection.
      if (answers === 1) setImmediate(() => response.socket?.destroy());
    });
  });
  const sender = createSender(settings(url));
  await sender.send(payload);
  sender.hurry();
  await expect(sender.send(payload)).resolves.toMatchObject({ ok: true });
  expect(seen).toHaveLength(2);
});

test("after a hurry things are tried again", async () => {
  const { url, seen } = await collector((response, nth) => response.writeHead(nth < 3 ? 503 : 200).end());
  const sender = createSender(settings(url));
  const calm = sender.hurry();
  await expect(sender.send(payload)).resolves.toMatchObject({ ok: false });
  calm();
  await expect(sender.send(payload)).resolves.toMatchObject({ ok: true });
  expect(seen).toHaveLength(3);
});

test("hurry gives up what waits to be tried again, and tries nothing twice", async () => {
  const { url, seen } = await collector((response) => response.writeHead(503).end());
  const sender = createSender(settings(url));
  const waiting = sender.send(payload);
  await expect.poll(() => seen.length).toBe(1);
  sender.hurry();
  await expect(waiting).resolves.toMatchObject({ ok: false });
  await expect(sender.send(payload)).resolves.toMatchObject({ ok: false });
  expect(seen).toHaveLength(2);
});

test("nobody there is told by its code", async () => {
  const { url } = await collector(() => {});
  server?.close();
  await expect(createSender(settings(url, { timeoutMs: 300 })).send(payload)).resolves.toEqual({
    ok: false,
    reason: "ECONNREFUSED",
  });
});

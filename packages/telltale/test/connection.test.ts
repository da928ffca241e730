import { createServer, type Socket } from "node:net";
import { expect, test, vi, onTestFinished } from "vitest";
import { createSender } from "../src/otlp/sender.js";
import { collector, listen, OK, payload, settings } from "./bare-collector.js";

test("one connection serves one delivery after the other", async () => {
  const { url, connections, bodies } = await collector((socket) => socket.write(OK));
  const sender = createSender(settings(url));
  for (const body of ["one", "", "three"]) {
    await expect(sender.send(Buffer.from(body))).resolves.toMatchObject({ ok: true });
  }
  expect(bodies).toEqual(["one", "", "three"]);
  expect(connections()).toBe(1);
});

test("deliveries that are asked for at once wait for each other", async () => {
  let underWay = 0;
  const { url, connections, bodies } = await collector((socket) => {
    expect(++underWay).toBe(1);
    setTimeout(() => {
      underWay--;
      socket.write(OK);
    }, 20);
  });
  const sender = createSender(settings(url));
  const outcomes = await Promise.all(["one", "two", "three"].map((body) => sender.send(Buffer.from(body))));
  expect(outcomes.map(({ ok }) => ok)).toEqual([true, true, true]);
  expect(bodies).toEqual(["one", "two", "three"]);
  expect(connections()).toBe(1);
});

test("who waits for others waits no longer than its own time", async () => {
  const { url, bodies } = await collector((socket, nth) => void (nth > 1 && socket.write(OK)));
  const sender = createSender(settings(url, { timeoutMs: 1_000 }));
  const first = sender.send(Buffer.from("one"));
  const second = sender.send(Buffer.from("two"));
  await new Promise((resolve) => void setTimeout(resolve, 500));
  const third = sender.send(Buffer.from("three"));
  const late = { ok: false, reason: expect.stringMatching(/^no answer in \d+ ms$/) };
  await expect(first).resolves.toMatchObject(late);
  await expect(second).resolves.toMatchObject(late);
  await expect(third).resolves.toMatchObject({ ok: true });
  expect(bodies.at(-1)).toBe("three");
});

test.each<[what: string, answer: string, connections: number]>([
  ["chunks", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n", 1],
  ["an interim answer", `HTTP/1.1 102 Processing\r\n\r\n${OK}`, 1],
  ["close", "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n", 2],
  ["a promise to keep it for a while", "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nkeep-alive: timeout=60\r\n\r\n", 1],
  ["a promise to keep it for a moment", "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nkeep-alive: timeout=1\r\n\r\n", 2],
  ["HTTP/1.0", "HTTP/1.0 200 OK\r\ncontent-length: 0\r\nconnection: keep-alive\r\n\r\n", 2],
  ["more than its length", `${OK}more`, 2],
  ["another answer", `${OK}${OK}`, 2],
  ["more than is kept", `HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n${"x".repeat(100_000)}`, 2],
  ["a chunk of no size", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nx\r\n", 2],
])("after an answer with %s", async (_, answer, expected) => {
  const { url, connections } = await collector((socket) => socket.write(answer));
  const sender = createSender(settings(url));
  await expect(sender.send(payload)).resolves.toMatchObject({ ok: true });
  await expect(sender.send(payload)).resolves.toMatchObject({ ok: true });
  expect(connections()).toBe(expected);
});

test("bytes that nobody has asked for end a connection", async () => {
  let ended = false;
  const { url, connections } = await collector((socket) => {
    socket.on("close", () => void (ended = true));
    socket.write(OK);
    setTimeout(() => socket.write("HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n\r\n"), 20);
  });
  const sender = createSender(settings(url));
  await sender.send(payload);
  await expect.poll(() => ended).toBe(true);
  await expect(sender.send(payload)).resolves.toMatchObject({ ok: true });
  expect(connections()).toBe(2);
});

test("a connection that nothing is sent on is closed after a minute, and not before", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  onTestFinished(() => void vi.useRealTimers());
  vi.resetModules();
  const { createSender: create } = await import("../src/otlp/sender.js");
  let ended = false;
  const { url, connections } = await collector((socket) => {
    socket.on("close", () => void (ended = true));
    socket.write(OK);
  });
  const sender = create(settings(url));
  await sender.send(payload);
  vi.advanceTimersByTime(59_000);
  await sender.send(payload);
  vi.advanceTimersByTime(59_000);
  await new Promise((resolve) => void setImmediate(resolve));
  expect(ended).toBe(false);
  vi.advanceTimersByTime(1_000);
  await vi.waitUntil(() => ended);
  expect(connections()).toBe(1);
});

test("an answer ends with its connection where nothing else tells its end", async () => {
  const { url } = await collector((socket) => socket.end("HTTP/1.1 200 OK\r\n\r\nanswer"));
  const delivery = await createSender(settings(url)).send(payload);
  expect(delivery).toEqual({ ok: true, answer: Buffer.from("answer") });
});

test.each<[what: string, answer: string, reason: string]>([
  ["no HTTP", "SSH-2.0-OpenSSH_9.2p1\r\n", 'expected an answer of HTTP/1.1, got "SSH-2.0-OpenSSH_9.2p1'],
  [
    "endless headers",
    `HTTP/1.1 200 OK\r\n${"x: y\r\n".repeat(9_000)}`,
    "expected at most 16384 bytes of headers, got more",
  ],
])("%s is a lost connection that says why", async (_, answer, reason) => {
  const { url, requests } = await collector((socket, nth) => socket.write(nth === 1 ? answer : OK));
  const sender = createSender(settings(url));
  const inHurry = sender.hurry();
  await expect(sender.send(payload)).resolves.toEqual({ ok: false, reason: expect.stringContaining(reason) });
  inHurry();
  await expect(sender.send(payload)).resolves.toMatchObject({ ok: true });
  expect(requests()).toBe(2);
});

test.each<[how: string, cut: (socket: Socket) => void]>([
  ["ended", (socket) => socket.end()],
  ["reset", (socket) => socket.resetAndDestroy()],
])("a kept connection that is %s before any of the answer came costs no try", async (_, cut) => {
  const { url, connections } = await collector((socket, nth) => void (nth === 2 ? cut(socket) : socket.write(OK)));
  const sender = createSender(settings(url));
  await sender.send(payload);
  sender.hurry();
  await expect(sender.send(payload)).resolves.toMatchObject({ ok: true });
  expect(connections()).toBe(2);
});

test.each<[what: string, cut: (socket: Socket, nth: number) => void, requests: number]>([
  ["a new connection", (socket) => socket.resetAndDestroy(), 1],
  [
    "a kept one that had begun to answer",
    (socket, nth) => void (nth === 1 ? socket.write(OK) : socket.end("HTTP/1.1 2")),
    2,
  ],
])("%s that is closed is tried again with a pause only", async (_, cut, count) => {
  const { url, requests } = await collector(cut);
  const sender = createSender(settings(url));
  if (count === 2) await sender.send(payload);
  sender.hurry();
  await expect(sender.send(payload)).resolves.toEqual({ ok: false, reason: "ECONNRESET" });
  expect(requests()).toBe(count);
});

test.each<[how: string, cut: (socket: Socket) => void]>([
  ["ends", (socket) => socket.end()],
  ["resets", (socket) => socket.destroy()],
])("what a collector answers counts though it %s the connection before it has read everything", async (_, cut) => {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    // What is not asked for is not read.
    socket.write("HTTP/1.1 413 Payload Too Large\r\ncontent-length: 0\r\n\r\n", () => setTimeout(cut, 20, socket));
  });
  const url = `http://127.0.0.1:${await listen(server)}`;
  const delivery = await createSender(settings(url, { timeoutMs: 500 })).send(Buffer.alloc(20_000_000));
  expect(delivery).toEqual({ ok: false, reason: "HTTP 413" });
});

test("what is not sent when the time is over is never sent", async () => {
  let sent: Socket | undefined;
  const received: Buffer[] = [];
  const server = createServer((socket) => {
    sent = socket.pause().on("data", (chunk) => void received.push(chunk as Buffer));
    socket.on("error", () => {});
  });
  const port = await listen(server);
  const large = Buffer.alloc(20_000_000, 1);
  const sender = createSender(settings(`http://127.0.0.1:${port}`, { timeoutMs: 200 }));
  await expect(sender.send(large)).resolves.toMatchObject({ ok: false });
  large.fill(2);
  const closed = new Promise((resolve) => sent?.on("close", resolve));
  sent?.resume();
  await closed;
  const body = Buffer.concat(received);
  expect(body.length).toBeGreaterThan(1_000);
  expect(body.length).toBeLessThan(large.length);
  expect(body.includes(2)).toBe(false);
});

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { Meter } from "@opentelemetry/api";
import { MeterProvider } from "@opentelemetry/sdk-metrics";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createSharedReader, type SharedReader } from "../../src/index.js";
import { packFrame } from "../../src/merge/frames.js";
import { meetingPlace } from "../../src/merge/meeting-place.js";

const before = process.env["TMPDIR"];
const undo: (() => unknown)[] = [];
beforeEach(() => {
  const folder = mkdtempSync(join(tmpdir(), "telltale-shared-"));
  process.env["TMPDIR"] = folder;
  undo.push(() => {
    if (before === undefined) delete process.env["TMPDIR"];
    else process.env["TMPDIR"] = before;
    rmSync(folder, { recursive: true, force: true });
  });
});
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

interface Member {
  readonly shared: SharedReader;
  readonly meter: Meter;
  readonly url: string;
}

/** Each as if it were a process of its own. */
async function enter(port: number, service = "app"): Promise<Member> {
  const shared = createSharedReader({ port, service });
  undo.push(() => shared.close());
  const meter = new MeterProvider({ readers: [shared.reader] }).getMeter("app");
  const listening = await shared.listening;
  return { shared, meter, url: "url" in listening ? listening.url : listening.error };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function ordersAt(port: number): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  return Number(/^orders_total\S* (\S+)$/m.exec(text)?.[1] ?? 0);
}

test("the second reports to the first, and takes over with all that it had when it leaves", async () => {
  const port = await freePort();
  const [first, second] = [await enter(port), await enter(port)];
  expect(second.url).toBe(first.url);
  first.meter.createCounter("orders").add(3);
  const orders = second.meter.createCounter("orders");
  orders.add(4);
  expect(await ordersAt(port)).toBe(7);
  first.meter.createCounter("orders").add(10);
  // Not scraped any more; it tells by itself.
  await first.shared.close();
  orders.add(100);
  await pause(300);
  expect(await ordersAt(port)).toBe(117);
});

test("the port is left to an heir that is busy, as long as it lives", async () => {
  const port = await freePort();
  const place = meetingPlace({ service: "app", host: "127.0.0.1", port }) ?? "";
  const heir = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"]);
  undo.push(() => heir.kill("SIGKILL"));
  // What a process leaves that was killed.
  writeFileSync(`${place}.heir`, String(heir.pid));
  const entered = enter(port);
  expect(await Promise.race([entered, pause(1_000)])).toBeUndefined();
  heir.kill("SIGKILL");
  expect((await entered).url).toBe(`http://127.0.0.1:${port}/metrics`);
});

test("another service gets no part of it", async () => {
  const port = await freePort();
  const first = await enter(port);
  const beganMs = performance.now();
  const other = await enter(port, "other");
  expect(performance.now() - beganMs).toBeLessThan(740);
  expect(first.url).toMatch(/^http/);
  expect(other.url).toContain("in use");
  other.meter.createCounter("orders").add(1);
  expect(await ordersAt(port)).toBe(0);
});

test("one that cannot be collected in time is there with what it said last", async () => {
  const port = await freePort();
  const [, second] = [await enter(port), await enter(port)];
  second.meter.createCounter("orders").add(5);
  expect(await ordersAt(port)).toBe(5);
  second.meter.createObservableGauge("stuck").addCallback(() => new Promise(() => {}));
  second.meter.createCounter("orders").add(1);
  const beganMs = performance.now();
  expect(await ordersAt(port)).toBe(5);
  expect(await ordersAt(port)).toBe(5);
  expect(performance.now() - beganMs).toBeLessThan(1_900);
});

const nonsense: [what: string, bytes: Buffer][] = [
  ["no frame at all", Buffer.from("GET / HTTP/1.1\r\nhost: x\r\n\r\n")],
  ["a frame of 4 GB", Buffer.from([255, 255, 255, 255, 255, 255, 255, 255])],
  ["a head that is no JSON", Buffer.concat([Buffer.from([4, 0, 0, 0, 0, 0, 0, 0]), Buffer.from("abcd")])],
  ["a report before hello", packFrame({ is: "done", n: 1 })],
  ["half a frame, and the end", packFrame({ is: "hello", source: "x", member: "y", canServe: true }).subarray(0, 20)],
  [
    "a report of what was never told",
    Buffer.concat([
      packFrame({ is: "hello", source: "x", member: "y", canServe: true }),
      packFrame({ is: "report", report: { metrics: [], series: [], exponential: [] } }, new Float64Array([5, 1, 0])),
    ]),
  ],
];
test.each(nonsense)("whoever sends %s is left, and the others are served", async (_, bytes) => {
  const port = await freePort();
  const [first, second] = [await enter(port), await enter(port)];
  second.meter.createCounter("orders").add(5);
  const socket = connect({ path: meetingPlace({ service: "app", host: "127.0.0.1", port }) ?? "" });
  socket.on("error", () => {});
  const closed = new Promise((resolve) => socket.once("close", resolve));
  socket.resume().write(bytes);
  if (bytes.length === 20) socket.end();
  await closed;
  expect(first.url).toMatch(/^http/);
  expect(await ordersAt(port)).toBe(5);
});

test("without a folder to meet in, each is for itself", async () => {
  process.env["TMPDIR"] = join(tmpdir(), "missing");
  const port = await freePort();
  const [first, second] = [await enter(port), await enter(port)];
  expect(first.url).toMatch(/^http/);
  expect(second.url).toContain("in use");
  first.meter.createCounter("orders").add(1);
  expect(await ordersAt(port)).toBe(1);
});

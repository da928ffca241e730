import { AsyncLocalStorage } from "node:async_hooks";
import dns from "node:dns";
import { readFileSync } from "node:fs";
import { Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { fileURLToPath } from "node:url";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { context } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { isSuppressed } from "@telltale/core";
import { expect, onTestFinished, test, vi } from "vitest";
import { createSender } from "../src/otlp/sender.js";
import { collector, OK, payload, settings } from "./bare-collector.js";

const pem = (name: string): string => fileURLToPath(new URL(`fixtures/tls/${name}.pem`, import.meta.url));

function resolvesTo(...addresses: string[]): void {
  const lookup = (_name: string, _options: object, found: (error: null, all: dns.LookupAddress[]) => void): void =>
    void setImmediate(() =>
      found(
        null,
        addresses.map((address) => ({ address, family: 4 })),
      ),
    );
  vi.spyOn(dns, "lookup").mockImplementation(lookup as never);
  onTestFinished(() => void vi.restoreAllMocks());
}

test("a name with several addresses: the one that is there is found, and its socket holds no process", async () => {
  const { port } = await collector((socket) => socket.write(OK));
  resolvesTo("127.0.0.2", "127.0.0.1");
  const held = () => process.getActiveResourcesInfo().filter((name) => name === "TCPSocketWrap").length;
  const before = held();
  const sender = createSender(settings(`http://collector.test:${port}`));
  await expect(sender.send(payload)).resolves.toMatchObject({ ok: true });
  expect(held()).toBe(before);
});

test("a name with several addresses, none of which is there, is told by a code", async () => {
  const { port } = await collector(() => {});
  resolvesTo("127.0.0.2", "127.0.0.3");
  const sender = createSender(settings(`http://collector.test:${port}`, { timeoutMs: 300 }));
  await expect(sender.send(payload)).resolves.toEqual({ ok: false, reason: "ECONNREFUSED" });
});

test("a name that is not known is told by a code", async () => {
  const lookup = (_name: string, _options: object, found: (error: Error) => void): void =>
    void setImmediate(() => found(Object.assign(new Error("not found"), { code: "ENOTFOUND" })));
  vi.spyOn(dns, "lookup").mockImplementation(lookup as never);
  onTestFinished(() => void vi.restoreAllMocks());
  const sender = createSender(settings("http://collector.test", { timeoutMs: 300 }));
  await expect(sender.send(payload)).resolves.toEqual({ ok: false, reason: "ENOTFOUND" });
});

test("one that is still being made when the process ends is given up", async () => {
  // Nobody answers it, as where a firewall drops what is sent.
  const connect = vi.spyOn(Socket.prototype, "connect").mockImplementation(function (this: Socket) {
    return this;
  });
  onTestFinished(() => connect.mockRestore());
  const sender = createSender(settings("http://192.0.2.1", { timeoutMs: 1_000 }));
  const delivery = sender.send(payload);
  const isOver = sender.hurry();
  await vi.waitFor(() => expect(connect).toHaveBeenCalledTimes(1));
  const socket = connect.mock.contexts[0] as Socket;
  expect(socket.destroyed).toBe(false);
  isOver();
  expect(socket.destroyed).toBe(true);
  await expect(delivery).resolves.toMatchObject({ ok: false });
});

test("a connection keeps nothing of the request that made it", async () => {
  const { url, connections } = await collector((socket) => socket.write(OK));
  const sender = createSender(settings(url));
  const storage = new AsyncLocalStorage<object>();
  const kept = await storage.run({}, async () => {
    await sender.send(payload);
    return new WeakRef(storage.getStore() ?? {});
  });
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  for (let n = 0; n < 100 && kept.deref() !== undefined; n++) {
    await new Promise((resolve) => void setTimeout(resolve, 20));
    collect();
  }
  expect(kept.deref()).toBeUndefined();
  await sender.send(payload);
  expect(connections()).toBe(1);
});

// One more property, and Node's code for the app's own sockets, which is made for their shape, would be slower.
test("its socket has the properties of others, in their order", async () => {
  const { url, port } = await collector((socket) => socket.write(OK));
  const connect = vi.spyOn(Socket.prototype, "connect");
  onTestFinished(() => connect.mockRestore());
  const sender = createSender(settings(url));
  await sender.send(payload);
  await sender.send(payload);
  const other = new Socket().setNoDelay(true).connect(port, "127.0.0.1");
  onTestFinished(() => void other.destroy());
  await new Promise((resolve) => other.on("connect", resolve));
  const answered = new Promise((resolve) => other.on("data", resolve));
  other
    .on("end", () => {})
    .on("error", () => {})
    .on("close", () => {});
  other.write("content-length: 0\r\n\r\n");
  await answered;
  const own = connect.mock.contexts[0] as object;
  for (const part of ["_events", "_readableState", "_writableState"]) {
    expect(Reflect.ownKeys(Reflect.get(own, part))).toEqual(Reflect.ownKeys(Reflect.get(other, part)));
  }
  expect(Reflect.ownKeys(own)).toEqual(Reflect.ownKeys(other));
});

test("it is made where nothing is traced", async () => {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  onTestFinished(() => context.disable());
  const { url } = await collector((socket) => socket.write(OK));
  const seen: boolean[] = [];
  const connect = vi.spyOn(Socket.prototype, "connect").mockImplementationOnce(function (this: Socket, ...args) {
    seen.push(isSuppressed(context.active()));
    connect.mockRestore();
    return Reflect.apply(this.connect, this, args);
  });
  await createSender(settings(url)).send(payload);
  expect(seen).toEqual([true]);
});

test.each<[what: string, url: string, headers: Record<string, string>, expected: object, names: unknown[]]>([
  ["is the host's", "https://localhost:PORT", {}, { ok: true }, ["localhost"]],
  ["is of the user's header", "https://127.0.0.1:PORT", { host: "localhost" }, { ok: true }, ["localhost"]],
  [
    "is of another",
    "https://127.0.0.1:PORT",
    { host: "example.org" },
    { ok: false, reason: "ERR_TLS_CERT_ALTNAME_INVALID" },
    ["example.org"],
  ],
  ["is an address's, which has no name", "https://127.0.0.1:PORT", {}, { ok: true }, []],
])("the certificate %s", async (_, url, headers, expected, names) => {
  const seen: unknown[] = [];
  const server = createTlsServer({
    cert: readFileSync(pem("cert")),
    key: readFileSync(pem("key")),
    ALPNProtocols: ["http/1.1"],
    SNICallback(name, done) {
      seen.push(name);
      done(null);
    },
  });
  server.on("secureConnection", (socket) => expect(socket.alpnProtocol).toBe("http/1.1"));
  const { port, bodies } = await collector((socket) => socket.write(OK), server);
  const sender = createSender(
    settings(url.replace("PORT", String(port)), { headers, tls: { ca: pem("cert") }, timeoutMs: 400 }),
  );
  sender.hurry();
  await expect(sender.send(payload)).resolves.toMatchObject(expected);
  expect(seen).toEqual(names);
  // Who cannot prove to be the collector gets nothing.
  expect(bodies).toEqual("reason" in expected ? [] : ["payload"]);
});

test("the next connection goes on with the session of the one before", async () => {
  const server = createTlsServer({ cert: readFileSync(pem("cert")), key: readFileSync(pem("key")) });
  const reused: boolean[] = [];
  server.on("secureConnection", (socket) => reused.push(socket.isSessionReused()));
  const closing = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
  const { port } = await collector((socket) => socket.write(closing), server);
  const sender = createSender(settings(`https://localhost:${port}`, { tls: { ca: pem("cert") } }));
  for (let n = 0; n < 2; n++) await expect(sender.send(payload)).resolves.toMatchObject({ ok: true });
  expect(reused).toEqual([false, true]);
});

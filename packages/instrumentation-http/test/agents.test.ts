import { context } from "@opentelemetry/api";
import { addListener, readPools, suppress } from "@telltale/core";
import { once } from "node:events";
import http, { get, type IncomingMessage } from "node:http";
import https from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { httpInstrumentation } from "../src/index.js";
import { type Heard, hear } from "./hear.js";
import { serve, type Serving, until } from "./serve.js";

let heard: Heard;
let running: Serving;
let agent: http.Agent;
const sockets = new Set<Socket>();
beforeEach(async () => {
  heard = hear(httpInstrumentation({ ignoreIncomingPaths: [/^/] }));
  running = await serve((message, response) => {
    sockets.add(message.socket);
    setTimeout(() => response.end("ok"), message.url === "/slow" ? 40 : 0);
  });
});
afterEach(async () => {
  heard.stop();
  agent.destroy();
  sockets.clear();
  await running.close();
});

const readings = () => readPools().filter(({ pool: { name } }) => name.startsWith(running.url));
const onlyReading = () => {
  const [first, ...others] = readings();
  if (others.length > 0) throw new Error("expected one pool");
  return first?.reading;
};
async function fetchWith(path: string): Promise<void> {
  const [response] = (await once(get(running.url + path, { agent }), "response")) as [IncomingMessage];
  await once(response.resume(), "end");
}

describe("a keep-alive agent is a pool for each place", () => {
  test("used, idle, pending and how long requests wait", async () => {
    agent = new http.Agent({ keepAlive: true, maxSockets: 2 });
    const waits: number[] = [];
    const remove = addListener({
      name: "waits",
      poolTimed: (pool, what, ms) => void (pool.name.startsWith(running.url) && what === "wait" && waits.push(ms)),
    });
    const begunMs = performance.now();
    const all = Promise.all([1, 2, 3, 4, 5].map(() => fetchWith("/slow")));
    await until(
      () => sockets.size,
      (count) => count === 2,
    );
    // Five were sent; two have a connection each, as the server says.
    expect(onlyReading()).toEqual({ used: 2, idle: 0, pending: 3, limit: 2 });
    expect(readings()[0]?.pool).toMatchObject({
      name: running.url,
      system: undefined,
      http: { address: "127.0.0.1", port: Number(new URL(running.url).port) },
    });
    await all;
    await until(onlyReading, (reading) => reading?.idle === 2);
    expect(onlyReading()).toEqual({ used: 0, idle: 2, pending: 0, limit: 2 });
    expect(sockets.size).toBe(2);
    // 40 ms for each answer before; a timer may be 1 ms early.
    expect(waits).toHaveLength(5);
    for (const [n, ms] of waits.entries()) expect(ms).toBeGreaterThan(Math.floor(n / 2) * 39 - 1);
    expect(Math.max(...waits)).toBeLessThan(performance.now() - begunMs);
    await fetchWith("/");
    expect(sockets.size).toBe(2);
    expect(waits).toHaveLength(6);
    remove();
    expect(heard.clients).toHaveLength(6);
  });

  test("a limit of all places; an agent that keeps and limits nothing is none", async () => {
    agent = new http.Agent({ keepAlive: false });
    await fetchWith("/");
    expect(readings()).toEqual([]);
    agent = new http.Agent({ maxTotalSockets: 3 });
    // What is suppressed delivers telemetry.
    await context.with(suppress(context.active()), () => fetchWith("/"));
    expect(readings()).toEqual([]);
    await fetchWith("/");
    expect(readings().map(({ reading }) => reading.limit)).toEqual([3]);
  });

  test("of node:https: its name says nothing of its keys", async () => {
    const psk = Buffer.from("telltale");
    const shared = { ciphers: "PSK", minVersion: "TLSv1.2", maxVersion: "TLSv1.2" } as const;
    const server = https.createServer({ ...shared, pskCallback: () => psk }, (_request, response) =>
      response.end("ok"),
    );
    await once(server.listen(0), "listening");
    const { port } = server.address() as AddressInfo;
    agent = new https.Agent({
      ...shared,
      keepAlive: true,
      pskCallback: () => ({ psk, identity: "test" }),
      checkServerIdentity: () => undefined,
      passphrase: "secret",
    });
    const [response] = (await once(https.get({ port, agent }), "response")) as [IncomingMessage];
    await once(response.resume(), "end");
    const names = readPools().map(({ pool: { name } }) => name);
    expect(names).toContain(`https://localhost:${port}`);
    expect(names.join()).not.toMatch(/PSK|secret|TLSv/);
    server.closeAllConnections();
    server.close();
  });
});

test("the connections of the global fetch are a pool without a limit", async () => {
  agent = new http.Agent();
  const all = Promise.all([1, 2, 3].map(async () => (await fetch(`${running.url}/slow`)).text()));
  await until(
    () => sockets.size,
    (count) => count === 3,
  );
  expect(onlyReading()).toMatchObject({ used: 3, idle: 0, pending: 0, limit: undefined });
  await all;
  await until(onlyReading, (reading) => reading?.idle === 3);
  expect(onlyReading()).toMatchObject({ used: 0 });
});

test("a kept connection that the server has closed: the request fails once, its repetition is one of its own", async () => {
  agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  await fetchWith("/");
  // The server closes it as the next request is on its way, and no sooner.
  running.server.removeAllListeners("request").once("request", (message: IncomingMessage) => message.socket.destroy());
  const sent = get(`${running.url}/stale`, { agent });
  const [error] = (await once(sent, "error")) as [NodeJS.ErrnoException];
  expect([error.code, sent.reusedSocket]).toEqual(["ECONNRESET", true]);
  running.server.on("request", (_message: IncomingMessage, response: http.ServerResponse) => response.end("ok"));
  await fetchWith("/stale");
  await until(
    () => heard.clients.length,
    (count) => count === 3,
  );
  expect(heard.clients.map(({ statusCode, errorType }) => [statusCode, errorType])).toEqual([
    [200, undefined],
    [0, "ECONNRESET"],
    [200, undefined],
  ]);
  expect([...heard.ends.values()]).toEqual([1, 1, 1]);
});

test("an agent is not asked for names that Node does not ask it for", async () => {
  const named = (): string => {
    const { stack = "" } = new Error("who asks");
    return /^\s+at .*\n\s+at .*\n\s+at (.*)$/m.exec(stack)?.[1] ?? "";
  };
  const askers: string[] = [];
  class Named extends http.Agent {
    override getName(): string {
      askers.push(named());
      return "all";
    }
  }
  agent = new Named({ keepAlive: true, maxSockets: 1 });
  await Promise.all(["/slow", "/slow"].map(fetchWith));
  expect(onlyReading()).toMatchObject({ used: 0, idle: 1, limit: 1 });
  expect(askers.length).toBeGreaterThan(1);
  for (const asker of askers) expect(asker).toContain("node:_http_agent");
});

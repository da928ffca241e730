import type { Socket } from "node:net";
import { context, createContextKey, ROOT_CONTEXT } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { describeWith } from "@telltale/test/describe-with";
import { type RedisServer, startRedis, startSentinel } from "@telltale/test/servers";
import type { Redis as RedisOf } from "ioredis";
import { afterAll, beforeAll, expect, test } from "vitest";
import { redisInstrumentation } from "../src/index.js";
import { drivers, type RedisClient } from "./drivers.js";
import { hear, type Heard } from "./hear.js";
import { nodeRedisDrivers } from "./node-redis-drivers.js";

const caller = createContextKey("test.caller");
const as = <T>(name: string, run: () => T): T => context.with(ROOT_CONTEXT.setValue(caller, name), run);
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

interface Client {
  set(key: string, value: string): Promise<unknown>;
  get(key: string): Promise<unknown>;
  stop(): unknown;
}

describeWith(["redis-server"], "a primary behind a sentinel", () => {
  const instrumentation = redisInstrumentation();
  const servers: RedisServer[] = [];
  let admin: RedisClient;
  let heard: Heard;

  beforeAll(async () => {
    context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
    instrumentation.enable();
    const primary = await startRedis({ own: true, settings: { "repl-diskless-sync-delay": 0 } });
    const replica = await startRedis({ own: true, settings: { replicaof: `127.0.0.1 ${primary.port}` } });
    const [driver] = drivers;
    if (driver === undefined) return;
    const copy = new (driver.load())(replica.port);
    // A sentinel that sees it in step at once need not look again, which it does after ten seconds.
    while (!/master_link_status:up/.test(await copy.info("replication"))) await sleep(20);
    copy.disconnect();
    const sentinel = await startSentinel(primary);
    servers.push(primary, replica, sentinel);
    admin = new (driver.load())(sentinel.port);
    const isKnown = async () => /master-link-status,ok/.test(String(await admin.call("SENTINEL", "REPLICAS", "shop")));
    while (!(await isKnown())) await sleep(50);
    heard = hear();
  });
  afterAll(async () => {
    heard.stop();
    admin.disconnect();
    instrumentation.disable();
    context.disable();
    await Promise.all(servers.map((server) => server.stop()));
  });

  const sentinels = () => servers.slice(2).map(({ host, port }) => ({ host, port }));
  const ways = [
    ...drivers.map(({ version, load }) => ({
      name: `ioredis ${version}`,
      start(): Client {
        const client: RedisOf = new (load())({
          sentinels: sentinels(),
          name: "shop",
          sentinelRetryStrategy: () => 50,
          failoverDetector: true,
        });
        client.on("error", () => {});
        return {
          set: (key, value) => client.set(key, value),
          get: (key) => client.get(key),
          stop: () => client.disconnect(),
        };
      },
    })),
    // 4 knows no sentinels.
    ...nodeRedisDrivers.slice(1).map(({ version, load }) => ({
      name: `redis ${version}`,
      async start(): Promise<Client> {
        const client = load().createSentinel({ name: "shop", sentinelRootNodes: sentinels(), scanInterval: 100 });
        client.on("error", () => {});
        await client.connect();
        return {
          set: (key, value) => client.set(key, value),
          get: (key) => client.get(key),
          stop: () => client.destroy(),
        };
      },
    })),
  ];

  test("each command is one operation of its caller, on the server that the sentinel chose, before and after a failover", async () => {
    const [primary, replica] = servers;
    const clients = await as("connector", () =>
      Promise.all(ways.map(async ({ name, start }) => ({ name, client: await start() }))),
    );
    const of = (name: string) =>
      heard.ended
        .filter((operation) => operation.context.getValue(caller) === name)
        .map(({ template }) => `${template.operationName} ${template.serverPort}`);
    try {
      for (const { name, client } of clients) {
        await as(name, () => client.set("user:1", name));
        expect(await as(name, () => client.get("user:1"))).toBe(name);
        expect([name, of(name)]).toEqual([name, [`SET ${primary?.port}`, `GET ${primary?.port}`]]);
      }
      heard.clear();
      await as("admin", () => admin.call("SENTINEL", "FAILOVER", "shop"));
      const isDone = async () =>
        String(await admin.call("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "shop")).endsWith(`,${replica?.port}`);
      while (!(await as("admin", isDone))) await sleep(50);
      await Promise.all(
        clients.map(async ({ name, client }) => {
          // What fails on the way is told as often as it is tried.
          let tried = 0;
          const write = () => as(name, () => client.set("user:2", name)).catch(() => undefined);
          const isThere = () => of(name).at(-1) === `SET ${replica?.port}`;
          do {
            tried++;
            await write();
            if (!isThere()) await sleep(50);
          } while (!isThere());
          expect([name, of(name).length]).toEqual([name, tried]);
        }),
      );
      expect(of("connector")).toEqual([]);
      expect(of("admin").every((call) => call.startsWith("SENTINEL "))).toBe(true);
      const others = heard.ended.filter(({ context }) => context.getValue(caller) === undefined);
      expect(others.map(({ template }) => template.operationName)).toEqual([]);
    } finally {
      for (const { client } of clients) client.stop();
    }
  });

  test.each(drivers)(
    "ioredis $version: a command sent while the socket connects is on the server as well",
    async ({ load }) => {
      const name = "early";
      const client = new (load())({ sentinels: sentinels(), name: "shop" });
      try {
        while (client.stream === undefined) await new Promise((resolve) => setImmediate(resolve));
        heard.clear();
        const { connecting } = client.stream as Socket;
        await as(name, () => client.get("user:1"));
        await as(name, () => client.get("user:2"));
        const port = (client.stream as Socket).remotePort;
        const heardOfIt = heard.ended.filter((operation) => operation.context.getValue(caller) === name);
        expect({ connecting, ports: heardOfIt.map(({ template }) => template.serverPort) }).toEqual({
          connecting: true,
          ports: [port, port],
        });
      } finally {
        client.disconnect();
      }
    },
  );
});

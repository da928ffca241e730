import { context, createContextKey, ROOT_CONTEXT } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { type RedisServer, startRedis } from "@telltale/test/servers";
import { once } from "node:events";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { describeWith } from "@telltale/test/describe-with";
import { redisInstrumentation } from "../src/index.js";
import { collect, type Heard } from "./collect.js";
import { drivers } from "./drivers.js";

const caller = createContextKey("test.caller");
const as = <T>(name: string, run: () => T): T => context.with(ROOT_CONTEXT.setValue(caller, name), run);
const parents = (heard: Heard) =>
  heard.ended.map(({ template, context }) => `${template.operationName} ${context.getValue(caller)}`);
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

// The slot of `user:1`, which goes to the second node while the client believes in the first.
const SLOT = 10_778;

describeWith(["redis-server"], "a cluster of ioredis", () => {
  const instrumentation = redisInstrumentation();
  const servers: RedisServer[] = [];
  let heard: Heard;

  beforeAll(async () => {
    context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
    instrumentation.enable();
    const settings = { "cluster-enabled": "yes", "cluster-require-full-coverage": "no" };
    servers.push(...(await Promise.all([startRedis({ own: true, settings }), startRedis({ own: true, settings })])));
    const [a, b] = servers.map(({ url }) => new (first().load())(url));
    if (a === undefined || b === undefined) return;
    // Both keep slots of their own: a node that loses its last one becomes a replica.
    await a.call("CLUSTER", "ADDSLOTSRANGE", 0, 16_382);
    await b.call("CLUSTER", "ADDSLOTS", 16_383);
    await a.call("CLUSTER", "MEET", "127.0.0.1", String(b.options.port));
    for (const node of [a, b]) {
      while (!/cluster_state:ok[^]*cluster_known_nodes:2/.test(String(await node.call("CLUSTER", "INFO"))))
        await sleep(20);
    }
    expect(await a.cluster("KEYSLOT", "user:1")).toBe(SLOT);
    a.disconnect();
    b.disconnect();
  });
  afterAll(async () => {
    instrumentation.disable();
    context.disable();
    await Promise.all(servers.map((server) => server.stop()));
  });
  beforeEach(() => {
    heard = collect();
  });
  afterEach(() => heard.stop());

  function first() {
    const [driver] = drivers;
    if (driver === undefined) throw new Error("no driver");
    return driver;
  }

  async function giveSlotTo(index: number): Promise<void> {
    const nodes = servers.map(({ url }) => new (first().load())(url));
    await Promise.all(nodes.map((node) => node.flushall()));
    const id = await nodes[index]?.call("CLUSTER", "MYID");
    await Promise.all(nodes.map((node) => node.call("CLUSTER", "SETSLOT", SLOT, "NODE", String(id))));
    for (const node of nodes) node.disconnect();
  }

  test.each(drivers)("$version: a command is one operation, also when it is moved", async ({ load }) => {
    const { Cluster } = load() as unknown as { Cluster: typeof import("ioredis").Cluster };
    await giveSlotTo(0);
    const cluster = new Cluster([{ host: "127.0.0.1", port: servers[0]?.port ?? 0 }]);
    cluster.on("error", () => {});
    try {
      // Before the cluster is known; what ioredis asks to know it is nobody's.
      heard.clear();
      await as("a", () => cluster.set("user:1", "x"));
      expect(parents(heard)).toEqual(["SET a"]);
      if (cluster.status !== "ready") await once(cluster, "ready");
      heard.clear();
      await as("b", () => cluster.get("user:1"));
      await as("c", () => cluster.pipeline().get("user:1").get("user:1").exec());
      expect(parents(heard)).toEqual(["GET b", "GET c", "GET c"]);
      expect(heard.tally()).toEqual({ "user hit": 3 });

      await giveSlotTo(1);
      heard.clear();
      expect(await as("d", () => cluster.get("user:1"))).toBeNull();
      expect(parents(heard)).toEqual(["GET d"]);
      expect(heard.tally()).toEqual({ "user miss": 1 });
      expect(heard.ended.every(({ errorType }) => errorType === undefined)).toBe(true);
    } finally {
      cluster.disconnect();
    }
  });
});

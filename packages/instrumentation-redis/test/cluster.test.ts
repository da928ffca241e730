import { context, createContextKey, ROOT_CONTEXT } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { type RedisServer, startRedis } from "@telltale/test/servers";
import type { Cluster } from "ioredis";
import { once } from "node:events";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { describeWith } from "@telltale/test/describe-with";
import { redisInstrumentation } from "../src/index.js";
import { hear, type Heard } from "./hear.js";
import { drivers } from "./drivers.js";
import { nodeRedisDrivers } from "./node-redis-drivers.js";

const caller = createContextKey("test.caller");
const as = <T>(name: string, run: () => T): T => context.with(ROOT_CONTEXT.setValue(caller, name), run);
const parents = (heard: Heard) =>
  heard.ended.map(({ template, context }) => `${template.operationName} ${context.getValue(caller)}`);
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

// The slot of `user:1`, which goes to the second node while the client believes in the first.
const SLOT = 10_778;

describeWith(["redis-server"], "a cluster of three nodes", () => {
  const instrumentation = redisInstrumentation();
  const servers: RedisServer[] = [];
  let heard: Heard;

  beforeAll(async () => {
    context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
    instrumentation.enable();
    const settings = { "cluster-enabled": "yes", "cluster-require-full-coverage": "no" };
    servers.push(...(await Promise.all([1, 2, 3].map(() => startRedis({ own: true, settings })))));
    const [a, b, c] = servers.map(({ url }) => new (first().load())(url));
    if (a === undefined || b === undefined || c === undefined) return;
    // All keep slots of their own: a node that loses its last one becomes a replica.
    await a.call("CLUSTER", "ADDSLOTSRANGE", 0, 16_381);
    await b.call("CLUSTER", "ADDSLOTS", 16_382);
    await c.call("CLUSTER", "ADDSLOTS", 16_383);
    for (const node of [b, c]) await a.call("CLUSTER", "MEET", "127.0.0.1", String(node.options.port));
    for (const node of [a, b, c]) {
      while (!/cluster_state:ok[^]*cluster_known_nodes:3/.test(String(await node.call("CLUSTER", "INFO"))))
        await sleep(20);
    }
    expect(await a.cluster("KEYSLOT", "user:1")).toBe(SLOT);
    for (const node of [a, b, c]) node.disconnect();
  });
  afterAll(async () => {
    instrumentation.disable();
    context.disable();
    await Promise.all(servers.map((server) => server.stop()));
  });
  beforeEach(() => {
    heard = hear();
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

  /** A cluster that believes in the first node, where all of the slot has gone to the second. */
  async function misled(load: (typeof drivers)[number]["load"], options: object = {}): Promise<Cluster> {
    const { Cluster } = load() as unknown as { Cluster: typeof import("ioredis").Cluster };
    await giveSlotTo(0);
    const cluster = new Cluster([{ host: "127.0.0.1", port: servers[0]?.port ?? 0 }], options);
    cluster.on("error", () => {});
    if (cluster.status !== "ready") await once(cluster, "ready");
    await giveSlotTo(1);
    heard.clear();
    return cluster;
  }
  const outcomes = () => heard.ended.map(({ template, errorType }) => `${template.operationName} ${errorType}`);

  test.each(drivers)(
    "$version: a pipeline that is moved as a whole has the outcome that the app sees",
    async (driver) => {
      const cluster = await misled(driver.load);
      try {
        const replies = await as("a", () => cluster.pipeline().get("user:1").mget("user:1", "user:1").exec());
        expect(replies).toEqual([
          [null, null],
          [null, [null, null]],
        ]);
        expect(parents(heard)).toEqual(["GET a", "MGET a"]);
        expect(outcomes()).toEqual(["GET undefined", "MGET undefined"]);
        expect(heard.tally()).toEqual({ "user miss": 3 });
        expect(heard.started).toHaveLength(2);
      } finally {
        cluster.disconnect();
      }
    },
  );

  test.each(drivers)("$version: so has one that ioredis fills by itself, and a transaction", async ({ load }) => {
    const automatic = await misled(load, { enableAutoPipelining: true });
    try {
      expect(await Promise.all([automatic.get("user:1"), automatic.get("user:1")])).toEqual([null, null]);
      expect(outcomes()).toEqual(["GET undefined", "GET undefined"]);
      expect(heard.tally()).toEqual({ "user miss": 2 });
    } finally {
      automatic.disconnect();
    }
    const cluster = await misled(load);
    try {
      const replies = await cluster.multi().set("user:1", "x").get("user:1").exec();
      expect(replies).toEqual([
        [null, "OK"],
        [null, "x"],
      ]);
      expect(outcomes().sort()).toEqual(["EXEC undefined", "GET undefined", "MULTI undefined", "SET undefined"]);
      expect(heard.tally()).toEqual({ "user hit": 1 });
    } finally {
      cluster.disconnect();
    }
  });

  test.each(drivers)(
    "$version: an error that the app sees is told once, when its pipeline is over",
    async ({ load }) => {
      const cluster = await misled(load);
      try {
        await cluster.set("user:1", "x");
        heard.clear();
        const replies = await cluster.pipeline().set("user:1", "y").hget("user:1", "f").exec();
        expect(replies?.[1]?.[0]).toMatchObject({ message: expect.stringContaining("WRONGTYPE") });
        expect(outcomes()).toEqual(["SET undefined", "HGET WRONGTYPE"]);
        expect(heard.tally()).toEqual({ "user error": 1 });
      } finally {
        cluster.disconnect();
      }
    },
  );

  /** How often the nodes have run a command. */
  async function ran(command: string): Promise<number> {
    let sum = 0;
    for (const { url } of servers) {
      const node = new (first().load())(url);
      const stats = await node.info("commandstats");
      sum += Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(stats)?.[1] ?? 0);
      node.disconnect();
    }
    return sum;
  }

  /** The slot is on its way from the first to the second node: what the first has no more is asked of the second. */
  async function moveSlot(): Promise<() => Promise<void>> {
    await giveSlotTo(0);
    const [a, b] = servers.slice(0, 2).map(({ url }) => new (first().load())(url));
    if (a === undefined || b === undefined) throw new Error("no nodes");
    const [from, to] = [String(await a.cluster("MYID")), String(await b.cluster("MYID"))];
    await b.call("CLUSTER", "SETSLOT", SLOT, "IMPORTING", from);
    await a.call("CLUSTER", "SETSLOT", SLOT, "MIGRATING", to);
    return async () => {
      for (const node of [a, b]) await node.call("CLUSTER", "SETSLOT", SLOT, "STABLE");
      for (const node of [a, b]) node.disconnect();
    };
  }

  test.each(drivers)("$version: a command that is asked of another node for now is one operation", async ({ load }) => {
    const { Cluster } = load() as unknown as { Cluster: typeof import("ioredis").Cluster };
    const settle = await moveSlot();
    const cluster = new Cluster([{ host: "127.0.0.1", port: servers[0]?.port ?? 0 }]);
    cluster.on("error", () => {});
    try {
      if (cluster.status !== "ready") await once(cluster, "ready");
      heard.clear();
      expect(await as("a", () => cluster.get("user:1"))).toBeNull();
      expect(parents(heard)).toEqual(["GET a"]);
      expect([outcomes(), heard.tally()]).toEqual([["GET undefined"], { "user miss": 1 }]);
    } finally {
      cluster.disconnect();
      await settle();
    }
  });

  const redisCluster = async (load: (typeof nodeRedisDrivers)[number]["load"], options: object = {}) => {
    const cluster = load().createCluster({ rootNodes: [{ url: servers[0]?.url ?? "" }], ...options });
    cluster.on("error", () => {});
    await as("connector", () => cluster.connect());
    return cluster;
  };

  test.each(nodeRedisDrivers)("redis $version: a command is one operation, also when it is moved", async ({ load }) => {
    await giveSlotTo(0);
    const cluster = await redisCluster(load);
    try {
      expect(heard.ended.filter(({ context }) => context.getValue(caller) === "connector")).toEqual([]);
      heard.clear();
      const before = await ran("get");
      await as("a", () => cluster.set("user:1", "x"));
      await as("b", () => cluster.get("user:1"));
      await giveSlotTo(1);
      heard.clear();
      expect(await as("c", () => cluster.get("user:1"))).toBeNull();
      expect(await as("d", () => cluster.get("user:1"))).toBeNull();
      expect(parents(heard)).toEqual(["GET c", "GET d"]);
      expect(outcomes()).toEqual(["GET undefined", "GET undefined"]);
      expect(heard.tally()).toEqual({ "user miss": 2 });
      expect(heard.started).toHaveLength(2);
      // The node that has moved the slot refuses without running.
      expect((await ran("get")) - before).toBe(3);
    } finally {
      await cluster.disconnect();
    }
  });

  test.each(nodeRedisDrivers)(
    "redis $version: asked of another node for now, and moved as a whole",
    async ({ load, major }) => {
      const settle = await moveSlot();
      const cluster = await redisCluster(load);
      try {
        heard.clear();
        expect(await as("a", () => cluster.get("user:1"))).toBeNull();
        expect([parents(heard), outcomes()]).toEqual([["GET a"], ["GET undefined"]]);
        expect(heard.tally()).toEqual({ "user miss": 1 });
        await settle();
        // 5.0 leaves the redirection of a transaction to the app.
        if (major === 5) return;
        await giveSlotTo(1);
        heard.clear();
        expect(await as("b", () => cluster.multi().set("user:1", "x").get("user:1").exec())).toEqual(["OK", "x"]);
        expect(outcomes().filter((outcome) => !outcome.endsWith("undefined"))).toEqual([]);
        expect(heard.names().filter((name) => name === "SET" || name === "GET")).toEqual(["SET", "GET"]);
        expect(heard.tally()).toEqual({ "user hit": 1 });
        expect(heard.started).toHaveLength(heard.ended.length);
      } finally {
        await cluster.disconnect();
      }
    },
  );

  test.each(nodeRedisDrivers)("redis $version: a redirection that the app sees is its error", async ({ load }) => {
    await giveSlotTo(1);
    const client = load().createClient({ url: servers[0]?.url ?? "" });
    client.on("error", () => {});
    await client.connect();
    try {
      heard.clear();
      await expect(client.get("user:1")).rejects.toThrow("MOVED");
      await sleep(5);
      expect(outcomes()).toEqual(["GET MOVED"]);
      expect(heard.tally()).toEqual({ "user error": 1 });
    } finally {
      await client.disconnect();
    }
  });

  test.each(nodeRedisDrivers)("redis $version: a cluster that follows no redirection shows it", async ({ load }) => {
    await giveSlotTo(0);
    const cluster = await redisCluster(load, { maxCommandRedirections: 0 });
    try {
      await giveSlotTo(1);
      heard.clear();
      await expect(as("a", () => cluster.get("user:1"))).rejects.toThrow();
      await sleep(5);
      expect([parents(heard), outcomes()]).toEqual([["GET a"], ["GET MOVED"]]);
      expect(heard.tally()).toEqual({ "user error": 1 });
    } finally {
      await cluster.disconnect();
    }
  });
});

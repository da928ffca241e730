import { type RedisServer, startRedis } from "@telltale/test/servers";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { describeWith } from "@telltale/test/describe-with";
import { redisInstrumentation } from "../src/index.js";
import { hear, type Heard } from "./hear.js";
import { drivers, type Ioredis, type RedisClient } from "./drivers.js";

const COMMANDS = 20_000;

/** A generator that repeats itself with the same seed, so that a failure can be repeated. */
function randomOf(seed: number) {
  let state = seed;
  const next = () => {
    state = (state * 1_664_525 + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
  const below = (limit: number) => Math.floor(next() * limit);
  return { below, pick: <T>(items: readonly T[]): T => items[below(items.length)] as T };
}
type Random = ReturnType<typeof randomOf>;

type Step = [command: string, ...args: (string | number)[]];

/** Writes that neither hit nor miss, and reads of whole keys, over keys that come, go and expire. */
function randomStep(random: Random): Step {
  const n = random.below(60);
  const read = random.below(100) < 70;
  const buffer = random.pick(["", "", "Buffer"]);
  switch (random.pick(["text", "text", "text", "hash", "set", "list", "sorted"] as const)) {
    case "text": {
      const key = `text:${n}`;
      if (!read) {
        return random.pick<Step>([
          ["set", key, random.pick(["", "some text", "QUEUED", "null"])],
          ["set", key, "short", "PX", 1 + random.below(5)],
          ["del", key],
          ["pexpire", key, 1],
        ]);
      }
      const keys = Array.from(
        { length: 1 + random.below(5) },
        () => `${random.pick(["text", "page"])}:${random.below(60)}`,
      );
      return random.pick<Step>([
        [`get${buffer}`, key],
        [`getex${buffer}`, key],
        ["getex", key, "EX", 100],
        ["getex", key, "PX", 1],
        [`getdel${buffer}`, key],
        [`mget${buffer}`, ...keys],
        ["call", "GET", key],
      ]);
    }
    case "hash":
      if (read) return [`hgetall${buffer}`, `hash:${n}`];
      return random.pick<Step>([
        ["hset", `hash:${n}`, "field", random.pick(["", "value"])],
        ["del", `hash:${n}`],
      ]);
    case "set":
      if (read) return [`smembers${buffer}`, `set:${n}`];
      return random.pick<Step>([
        ["sadd", `set:${n}`, "member"],
        ["srem", `set:${n}`, "member"],
      ]);
    case "list":
      if (read) return [`lrange${buffer}`, `list:${n}`, 0, -1];
      return random.pick<Step>([
        ["rpush", `list:${n}`, "element"],
        ["del", `list:${n}`],
      ]);
    case "sorted":
      if (read) {
        return random.pick<Step>([
          [`zrange${buffer}`, `sorted:${n}`, 0, -1],
          ["zrange", `sorted:${n}`, 0, -1, "WITHSCORES"],
          ["zrange", `sorted:${n}`, 0, -1, "REV"],
          ["zrevrange", `sorted:${n}`, 0, -1],
        ]);
      }
      return random.pick<Step>([
        ["zadd", `sorted:${n}`, 1, "member"],
        ["del", `sorted:${n}`],
      ]);
  }
}

type Callable = Record<string, (...args: (string | number)[]) => Promise<unknown>>;
function send(to: unknown, [command, ...args]: Step): Promise<unknown> {
  const method = (to as Callable)[command];
  if (method === undefined) throw new Error(`no ${command}`);
  return method.apply(to, args);
}

/** Sends steps in one of the ways that ioredis knows. */
async function run(client: RedisClient, steps: readonly Step[], random: Random): Promise<void> {
  // With autopipelining, ioredis never answers an EXEC that was sent by hand.
  const byHand = client.options.enableAutoPipelining ? [] : ["multi by hand", "discarded"];
  switch (random.pick(["plain", "together", "pipeline", "multi", "multi in a pipeline", ...byHand])) {
    case "plain":
      for (const step of steps) await send(client, step);
      return;
    case "together":
      await Promise.all(steps.map((step) => send(client, step)));
      return;
    case "pipeline": {
      const pipeline = client.pipeline();
      for (const step of steps) void send(pipeline, step);
      await pipeline.exec();
      return;
    }
    case "multi": {
      const multi = client.multi();
      for (const step of steps) void send(multi, step);
      await multi.exec();
      return;
    }
    case "multi in a pipeline": {
      const pipeline = client.pipeline();
      const [first, ...rest] = steps;
      if (first !== undefined) void send(pipeline, first);
      void send(pipeline, ["multi"]);
      for (const step of rest) void send(pipeline, step);
      void pipeline.exec();
      await pipeline.exec();
      return;
    }
    case "multi by hand":
      await client.multi({ pipeline: false });
      for (const step of steps) await send(client, step);
      await client.exec();
      return;
    case "discarded":
      await client.multi({ pipeline: false });
      for (const step of steps) await send(client, step);
      await client.discard();
      return;
  }
}

async function keyspace(client: RedisClient): Promise<{ hits: number; misses: number }> {
  const text = await client.info("stats");
  const figure = (name: string) => Number(new RegExp(`${name}:(\\d+)`).exec(text)?.[1]);
  return { hits: figure("keyspace_hits"), misses: figure("keyspace_misses") };
}

function sumOf(heard: Heard, result: string): number {
  return heard.lookups.reduce((sum, lookup) => sum + (lookup.result === result ? lookup.keys : 0), 0);
}

const ways = drivers.flatMap(({ major, version, load }) => [
  { name: `ioredis ${version}`, load, options: {} },
  { name: `ioredis ${version}, autopipelining`, load, options: { enableAutoPipelining: true } },
  ...(major < 6
    ? []
    : [
        { name: `ioredis ${version}, RESP3`, load, options: { protocol: 3, replyMapping: "legacy" } },
        { name: `ioredis ${version}, RESP3 as it comes`, load, options: { protocol: 3, replyMapping: "resp3" } },
      ]),
]);

describeWith(["redis-server"], "lookups beside the server's keyspace_hits and keyspace_misses", () => {
  const instrumentation = redisInstrumentation();
  let server: RedisServer;
  let heard: Heard;

  beforeAll(async () => {
    server = await startRedis({ own: true });
    instrumentation.enable();
  });
  afterAll(async () => {
    instrumentation.disable();
    await server.stop();
  });
  beforeEach(() => {
    heard = hear();
  });
  afterEach(() => heard.stop());

  async function withClients<T>(load: () => Ioredis, options: object, use: (clients: RedisClient[]) => Promise<T>) {
    const Redis = load();
    const clients = [1, 2, 3].map(() => new Redis(server.url, options));
    try {
      await clients[0]?.flushall();
      return await use(clients);
    } finally {
      for (const client of clients) client.disconnect();
    }
  }

  test.each(ways)("$name: 20,000 random commands", { timeout: 60_000 }, async ({ load, options, name }) => {
    await withClients(load, options, async (clients) => {
      const [observer] = clients;
      if (observer === undefined) return;
      const seed = 20_260_000 + name.length;
      const before = await keyspace(observer);
      let sent = 0;
      const lane = async (client: RedisClient, random: Random) => {
        while (sent < COMMANDS) {
          const steps = Array.from({ length: 1 + random.below(8) }, () => randomStep(random));
          sent += steps.length;
          await run(client, steps, random);
        }
      };
      await Promise.all(clients.map((client, i) => lane(client, randomOf(seed + i))));
      const after = await keyspace(observer);
      const hits = after.hits - before.hits;
      const misses = after.misses - before.misses;
      expect(hits).toBeGreaterThan(COMMANDS / 10);
      expect(misses).toBeGreaterThan(COMMANDS / 10);
      expect({ seed, hits: sumOf(heard, "hit"), misses: sumOf(heard, "miss"), errors: sumOf(heard, "error") }).toEqual({
        seed,
        hits,
        misses,
        errors: 0,
      });
      const onOperations = (of: "cacheHits" | "cacheMisses") => heard.ended.reduce((sum, { [of]: n }) => sum + n, 0);
      expect({ hits: onOperations("cacheHits"), misses: onOperations("cacheMisses") }).toEqual({ hits, misses });
      expect(heard.ended.length).toBe(heard.started.length);
      expect(new Set(heard.ended).size).toBe(heard.ended.length);
    });
  });

  test.each(drivers)("ioredis $version: keys of another type", async ({ load }) => {
    await withClients(load, {}, async ([client]) => {
      if (client === undefined) return;
      await client.rpush("list:1", "a");
      await client.set("text:1", "");
      const before = await keyspace(client);
      heard.clear();
      // The server finds the key, and so counts a hit; the app gets an error, or from MGET nil.
      const failures = await Promise.allSettled([
        client.get("list:1"),
        client.getex("list:1"),
        client.getdel("list:1"),
        client.hgetall("text:1"),
        client.smembers("text:1"),
        client.lrange("text:1", 0, -1),
        client.zrange("text:1", "0", "-1"),
      ]);
      expect(failures.map(({ status }) => status)).toEqual(Array(7).fill("rejected"));
      expect(await client.mget("text:1", "list:1", "none:1")).toEqual(["", null, null]);
      const results = await client.multi().get("list:1").get("text:1").get("none:1").exec();
      expect(results?.map(([error, reply]) => error?.message.slice(0, 9) ?? reply)).toEqual(["WRONGTYPE", "", null]);
      const after = await keyspace(client);

      expect(heard.tally()).toEqual({
        "list error": 4,
        "text error": 4,
        "text hit": 2,
        "list miss": 1,
        "none miss": 2,
      });
      const ofMget = 1;
      expect(after.hits - before.hits).toBe(sumOf(heard, "hit") + sumOf(heard, "error") + ofMget);
      expect(after.misses - before.misses).toBe(sumOf(heard, "miss") - ofMget);
    });
  });

  test.each(drivers)("ioredis $version: fields of hashes, where the server counts the key", async ({ load }) => {
    await withClients(load, {}, async ([client]) => {
      if (client === undefined) return;
      const random = randomOf(7);
      for (let n = 0; n < 20; n += 2) await client.hset(`cart:${n}`, { a: "", b: "1" });
      heard.clear();
      const wanted = { hits: 0, misses: 0 };
      const count = (value: unknown) => (value === null ? wanted.misses++ : wanted.hits++);
      for (let i = 0; i < 500; i++) {
        const key = `cart:${random.below(20)}`;
        const fields = Array.from({ length: 1 + random.below(4) }, () => random.pick(["a", "b", "c"]));
        if (random.below(2) === 0) count(await client.hget(key, fields[0] ?? "a"));
        else for (const value of await client.hmget(key, ...fields)) count(value);
      }
      expect(wanted.misses).toBeGreaterThan(100);
      expect(heard.tally()).toEqual({ "cart hit": wanted.hits, "cart miss": wanted.misses });
    });
  });

  test.each(drivers)("ioredis $version: an answer that a transaction never gave is no lookup", async ({ load }) => {
    await withClients(load, {}, async ([client, other]) => {
      if (client === undefined || other === undefined) return;
      await client.set("text:1", "v");
      await other.ping();
      heard.clear();
      // A watched key changes.
      await client.watch("text:1");
      await other.set("text:1", "w");
      expect(await client.multi().get("text:1").get("none:1").exec()).toBeNull();
      // A command is refused while it is queued.
      await expect(client.multi().get("text:1").call("get").exec()).rejects.toThrow("EXECABORT");
      // Dropped in the pipeline that began it; what follows is no part of it.
      expect(heard.tally()).toEqual({});
      const pipeline = client.pipeline([["multi"], ["get", "none:1"], ["discard"], ["get", "text:1"]]);
      void pipeline.exec();
      expect((await pipeline.exec())?.map(([, reply]) => reply)).toEqual(["OK", "QUEUED", "OK", "w", undefined]);
      expect(heard.tally()).toEqual({ "text hit": 1 });
      // And the next one counts again.
      await client.multi().get("text:1").get("none:1").exec();
      expect(heard.tally()).toEqual({ "text hit": 2, "none miss": 1 });
      expect(heard.ended.length).toBe(heard.started.length);
    });
  });
});

import { describeWith } from "@telltale/test/describe-with";
import { type RedisServer, startRedis } from "@telltale/test/servers";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { nodeRedisInstrumentation } from "../src/index.js";
import { hear, type Heard } from "./hear.js";
import { type NodeRedis, type NodeRedisClient, nodeRedisDrivers } from "./node-redis-drivers.js";

const COMMANDS = 2_000;

/** A generator that repeats itself with the same seed, so that a failure can be repeated. */
function randomOf(seed: number) {
  let state = seed;
  const below = (limit: number) => {
    state = (state * 1_664_525 + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
  return { below, pick: <T>(items: readonly T[]): T => items[below(items.length)] as T };
}
type Random = ReturnType<typeof randomOf>;

/** Writes that neither hit nor miss, reads of whole keys, and what is refused as a command of another type. */
function randomStep(random: Random): string[] {
  const n = random.below(40);
  const keys = Array.from(
    { length: 1 + random.below(5) },
    () => `${random.pick(["text", "page"])}:${random.below(40)}`,
  );
  return random.pick([
    ["SET", `text:${n}`, random.pick(["", "some text", "QUEUED"])],
    ["SET", `text:${n}`, "short", "PX", String(1 + random.below(5))],
    ["DEL", `text:${n}`],
    ["GET", `text:${n}`],
    ["GETEX", `text:${n}`, "EX", "100"],
    ["GETDEL", `text:${n}`],
    ["MGET", ...keys],
    ["HSET", `hash:${n}`, "field", ""],
    ["HGETALL", `hash:${n}`],
    ["SADD", `set:${n}`, "member"],
    ["SREM", `set:${n}`, "member"],
    ["SMEMBERS", `set:${n}`],
    ["RPUSH", `list:${n}`, "element"],
    ["LRANGE", `list:${n}`, "0", "-1"],
    ["ZADD", `sorted:${n}`, "1", "member"],
    ["ZREM", `sorted:${n}`, "member"],
    ["ZRANGE", `sorted:${n}`, "0", "-1"],
    ["LPUSH", `text:${n}`],
  ]);
}

type Send = (args: string[]) => Promise<unknown>;
interface Lane {
  readonly send: Send;
  readonly multi: () => ReturnType<NodeRedisClient["multi"]>;
}

/** Sends steps in one of the ways that node-redis knows; what is refused was asked for. */
async function run({ send, multi }: Lane, steps: string[][], random: Random): Promise<void> {
  const queue = (list: string[][]) => list.reduce((chain, args) => chain.addCommand(args), multi());
  switch (random.pick(["plain", "together", "multi", "pipeline"])) {
    case "plain":
      for (const args of steps) await send(args).catch(() => {});
      return;
    case "together":
      await Promise.allSettled(steps.map((args) => send(args)));
      return;
    case "multi":
      // With a refused command nothing of it runs.
      await queue(steps.filter(([name]) => name !== "LPUSH"))
        .exec()
        .catch(() => {});
      return;
    case "pipeline":
      await queue(steps)
        .execAsPipeline()
        .catch(() => {});
      return;
  }
}

async function figures(client: NodeRedisClient) {
  const text = String(await client.sendCommand(["INFO", "all"]));
  const figure = (name: string) => Number(new RegExp(`${name}:(\\d+)`).exec(text)?.[1]);
  const calls = new Map<string, number>();
  for (const [, name = "", ran, refused] of text.matchAll(/cmdstat_(\w+):calls=(\d+).*?rejected_calls=(\d+)/g)) {
    calls.set(name.toUpperCase(), Number(ran) + Number(refused));
  }
  return { hits: figure("keyspace_hits"), misses: figure("keyspace_misses"), calls };
}

const ways: { name: string; load: () => NodeRedis; options: object; isPool: boolean }[] = [];
for (const { major, version, load } of nodeRedisDrivers) {
  const name = `redis ${version}`;
  ways.push({ name, load, options: {}, isPool: false });
  if (major === 5) ways.push({ name: `${name}, RESP3`, load, options: { RESP: 3 }, isPool: false });
  if (major === 6) {
    ways.push({ name: `${name}, RESP2`, load, options: { RESP: 2 }, isPool: false });
    // That of 5.0 leaves rejections of the app's unhandled.
    ways.push({ name: `${name}, a pool`, load, options: {}, isPool: true });
  }
}

describeWith(["redis-server"], "commands and lookups of node-redis beside the server's INFO", () => {
  const instrumentation = nodeRedisInstrumentation();
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

  async function startLanes(driver: NodeRedis, options: object, isPool: boolean) {
    const open = async () => {
      const client = driver.createClient({ url: server.url, ...options });
      client.on("error", () => {});
      await client.connect();
      return client as unknown as NodeRedisClient;
    };
    const observer = await open();
    if (!isPool) {
      const clients = [await open(), await open()];
      const lanes = clients.map((client): Lane => ({
        send: (args) => client.sendCommand(args),
        multi: () => client.multi(),
      }));
      return { observer, lanes, stop: () => [observer, ...clients].map((client) => client.disconnect()) };
    }
    const pool = driver.createClientPool({ url: server.url, ...options }, { minimum: 3, maximum: 3 });
    pool.on("error", () => {});
    await pool.connect();
    const lane: Lane = { send: (args) => pool.sendCommand(args), multi: () => pool.multi() as never };
    const stop = () => [pool.destroy(), observer.disconnect()];
    return { observer, lanes: [lane, lane], stop };
  }

  test.each(ways)("$name: random commands", { timeout: 60_000 }, async ({ load, options, isPool, name }) => {
    const { observer, lanes, stop } = await startLanes(load(), options, isPool);
    try {
      await observer.flushAll();
      heard.clear();
      const before = await figures(observer);
      let sent = 0;
      await Promise.all(
        lanes.map(async (lane, i) => {
          const random = randomOf(20_260_000 + name.length + i);
          while (sent < COMMANDS) {
            const steps = Array.from({ length: 1 + random.below(8) }, () => randomStep(random));
            sent += steps.length;
            await run(lane, steps, random);
          }
        }),
      );
      const after = await figures(observer);
      const sum = (result: string) =>
        heard.lookups.reduce((total, lookup) => total + (lookup.result === result ? lookup.keys : 0), 0);
      expect({ hits: sum("hit"), misses: sum("miss"), errors: sum("error") }).toEqual({
        hits: after.hits - before.hits,
        misses: after.misses - before.misses,
        errors: 0,
      });
      expect(sum("hit")).toBeGreaterThan(COMMANDS / 10);
      expect(sum("miss")).toBeGreaterThan(COMMANDS / 10);
      const told: Record<string, number> = {};
      for (const operation of heard.names())
        if (operation !== "INFO") told[String(operation)] = (told[String(operation)] ?? 0) + 1;
      const ran: Record<string, number> = {};
      for (const [command, calls] of after.calls) {
        const more = calls - (before.calls.get(command) ?? 0);
        if (more > 0 && command !== "INFO") ran[command] = more;
      }
      expect(told).toEqual(ran);
      expect(heard.started).toHaveLength(heard.ended.length);
      expect(new Set(heard.ended).size).toBe(heard.ended.length);
    } finally {
      stop();
    }
  });
});

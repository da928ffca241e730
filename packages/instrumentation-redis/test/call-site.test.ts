import { readFileSync } from "node:fs";
import { wantSite } from "@telltale/core";
import { describeWith } from "@telltale/test/describe-with";
import { type RedisServer, startRedis } from "@telltale/test/servers";
import { afterAll, beforeAll, expect, test } from "vitest";
import { redisInstrumentation } from "../src/index.js";
import { drivers, type RedisClient } from "./drivers.js";
import { type Heard, hear } from "./hear.js";
import { nodeRedisDrivers } from "./node-redis-drivers.js";

const instrumentation = redisInstrumentation();
instrumentation.enable();

/** The line of this file that has a mark. */
function lineOf(mark: string): number {
  const lines = readFileSync(import.meta.filename, "utf8").split("\n");
  return lines.findIndex((line) => line.endsWith(`// ${mark}`)) + 1;
}

describeWith(["redis-server"], "the call site of a command", () => {
  let server: RedisServer;
  let heard: Heard;
  beforeAll(async () => {
    server = await startRedis();
    heard = hear();
  });
  afterAll(async () => {
    heard.stop();
    instrumentation.disable();
    await server.stop();
  });

  test.each(drivers)("ioredis $version: where the app calls it, or sends its pipeline", async ({ major, load }) => {
    const Redis = load();
    // Both drivers' calls are of one shape, which is armed once a minute.
    const nowMs = performance.now() + major * 60_000;
    const redis = new Redis({ port: server.port });
    const batching = new Redis({ port: server.port, enableAutoPipelining: true });
    const cases: [mark: string, command: string, call: (redis: RedisClient) => Promise<unknown>][] = [
      ["direct", "GET", (client) => client.get("a:1")], // direct
      ["awaited", "HGET", async (client) => await client.hget("h:1", "x")], // awaited
      [
        "pipeline",
        "LLEN",
        (client) => {
          const pipeline = client.pipeline().llen("l:1");
          return pipeline.exec(); // pipeline
        },
      ],
    ];
    for (const [mark, command, call] of cases) {
      await call(redis);
      const template = heard.ended.findLast(({ template: { operationName } }) => operationName === command)?.template;
      if (template === undefined) throw new Error(`expected ${command}`);
      wantSite(template, nowMs);
      heard.clear();
      await call(redis);
      const [operation] = heard.ended;
      expect(operation?.site, mark).toMatchObject({ file: import.meta.filename, line: lineOf(mark) });
    }
    await batching.get("b:1");
    const batched = heard.ended.find(({ template: { operationName } }) => operationName === "GET");
    if (batched !== undefined) wantSite(batched.template, nowMs);
    heard.clear();
    await Promise.all([
      batching.get("b:1"), // batched
      batching.get("b:2"),
    ]);
    expect(heard.ended[0]?.site).toMatchObject({ line: lineOf("batched") });
    redis.disconnect();
    batching.disconnect();
  });

  test.each(nodeRedisDrivers)("redis $version: where the app calls it, or sends its batch", async ({ major, load }) => {
    const nowMs = performance.now() + major * 60_000;
    const client = load().createClient({ url: server.url, database: 1 });
    await client.connect();
    const cases: [mark: string, command: string, call: () => Promise<unknown>][] = [
      ["typed", "GET", () => client.get("a:1")], // typed
      ["raw", "HGET", async () => await client.sendCommand(["HGET", "h:1", "x"])], // raw
      [
        "transaction",
        "LLEN",
        () => {
          const multi = client.multi().lLen("l:1");
          return multi.exec(); // transaction
        },
      ],
    ];
    for (const [mark, command, call] of cases) {
      const isOne = ({ template: { operationName } }: Heard["ended"][number]) => operationName === command;
      await call();
      const template = heard.ended.findLast(isOne)?.template;
      if (template === undefined) throw new Error(`expected ${command}`);
      wantSite(template, nowMs);
      heard.clear();
      await call();
      expect(heard.ended.find(isOne)?.site, mark).toMatchObject({ file: import.meta.filename, line: lineOf(mark) });
    }
    await client.disconnect();
  });
});

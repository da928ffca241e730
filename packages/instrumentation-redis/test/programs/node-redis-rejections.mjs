// An app that leaves rejections of node-redis unhandled, in each of the ways that a command can fail.
import { createRequire } from "node:module";

const [folder, port, telltale, mode] = process.argv.slice(2);
if (telltale === "instrumented") {
  const { addListener } = await import("@telltale/core");
  const { redisInstrumentation } = await import("@telltale/instrumentation-redis");
  addListener({ name: "nobody", operationEnded() {}, poolWaited() {} });
  redisInstrumentation().enable();
}
const require = createRequire(import.meta.url);
const redis = require(folder);
const { createClientPool } = createRequire(require.resolve(folder))("@redis/client");
const url = `redis://127.0.0.1:${port}`;
const connect = async (options) => {
  const client = redis.createClient({ url, ...options });
  client.on("error", () => {});
  await client.connect();
  return client;
};
const client = await connect();
await client.del("list:1");
await client.rPush("list:1", "a");

if (mode === "crash") {
  void client.get("list:1");
} else {
  const unhandled = [];
  process.on("unhandledRejection", (error) => unhandled.push(error.message.slice(0, 40)));
  const narrow = await connect({ commandsQueueMaxLength: 8 });
  const gone = await connect();
  await gone.disconnect();
  const pool = createClientPool?.({ url }, { minimum: 1, maximum: 1, acquireTimeout: 10 });
  pool?.on("error", () => {});
  await pool?.connect();
  const ways = {
    promise: () => client.get("list:1"),
    derived: () => client.get("list:1").then((reply) => reply),
    handled: () => client.get("list:1").catch(() => {}),
    raw: () => client.sendCommand(["GET", "list:1"]),
    multi: () => client.multi().get("list:1").exec(),
    refused: () => client.multi().addCommand(["GET"]).exec(),
    pipeline: () => client.multi().get("list:1").execAsPipeline?.(),
    full: () => Promise.all(Array.from({ length: 9 }, () => narrow.sendCommand(["PING"]))),
    closed: () => gone.sendCommand(["GET", "list:1"]),
    script: () => client.sendCommand(["EVAL", "return redis.error_reply('MINE x')", "0"]),
    "no script": () => client.sendCommand(["EVALSHA", "none", "0"]),
    pooled: () => pool?.get("list:1"),
    "pooled too late": () => {
      void pool?.execute(() => new Promise((resolve) => setTimeout(resolve, 25)));
      return pool?.get("list:1");
    },
  };
  for (const [name, way] of Object.entries(ways)) {
    unhandled.length = 0;
    void way();
    const turns = new Promise((resolve) => setTimeout(resolve, 40));
    // On a busy machine an answer takes longer than that: the one to this comes after the one to what was asked before.
    await client.ping();
    await turns;
    await new Promise((resolve) => setImmediate(resolve));
    console.log(unhandled.length > 0 ? "unhandled" : "handled", name, unhandled.join(", "));
  }
  const { prototype } = client.constructor;
  console.log(
    prototype.sendCommand.name,
    prototype.sendCommand.length,
    prototype.connect.name,
    prototype.connect.length,
  );
  console.log(pool?.execute.name, pool?.execute.length, Object.keys(client).sort().join());
  await narrow.disconnect();
  await client.disconnect();
  pool?.destroy();
}

// An app that leaves rejections unhandled, in each of the ways that a command can fail.
import { createRequire } from "node:module";

const [folder, port, telltale, mode] = process.argv.slice(2);
if (telltale === "instrumented") {
  const { addListener } = await import("@telltale/core");
  const { redisInstrumentation } = await import("@telltale/instrumentation-redis");
  addListener({ name: "nobody", operationEnded() {} });
  redisInstrumentation().enable();
}
const Redis = createRequire(import.meta.url)(folder);
const client = new Redis(Number(port));
const automatic = client.duplicate({ enableAutoPipelining: true });
await client.del("list:1");
await client.rpush("list:1", "a");

if (mode === "crash") {
  void client.get("list:1");
} else {
  const unhandled = [];
  process.on("unhandledRejection", (error) => unhandled.push(error.message.slice(0, 40)));
  const ways = {
    promise: () => client.get("list:1"),
    derived: () => client.get("list:1").then((reply) => reply),
    handled: () => client.get("list:1").catch(() => {}),
    callback: () => client.get("list:1", () => {}),
    pipeline: () => client.pipeline().get("list:1").exec(),
    multi: () => client.multi().get("list:1").exec(),
    refused: () => client.multi().call("get").exec(),
    automatic: () => automatic.get("list:1"),
    closed: () => {
      const gone = client.duplicate();
      gone.disconnect();
      return gone.get("list:1");
    },
    script: () => client.eval("return redis.error_reply('MINE x')", 0),
  };
  for (const [name, way] of Object.entries(ways)) {
    unhandled.length = 0;
    void way();
    const turns = new Promise((resolve) => setTimeout(resolve, 30));
    // On a busy machine answers take longer than that: those to these come after those to what was asked before.
    await Promise.all([client.ping(), automatic.ping()]);
    await turns;
    await new Promise((resolve) => setImmediate(resolve));
    console.log(unhandled.length > 0 ? "unhandled" : "handled", name, unhandled.join(", "));
  }
  client.disconnect();
  automatic.disconnect();
}

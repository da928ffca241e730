import { type Context, context, createContextKey, ROOT_CONTEXT } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { suppressTracing } from "@opentelemetry/core";
import type { DatabaseOperation } from "@telltale/core";
import { freePort, type RedisServer, startRedis } from "@telltale/test/servers";
import { once } from "node:events";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { describeWith } from "@telltale/test/describe-with";
import { redisInstrumentation } from "../src/index.js";
import { hear, type Heard } from "./hear.js";
import { drivers, type RedisClient } from "./drivers.js";

const caller = createContextKey("test.caller");
const as = <T>(name: string, run: () => T): T => context.with(ROOT_CONTEXT.setValue(caller, name), run);
const callerOf = (from: Context) => from.getValue(caller);
/** `GET a`: what ran for whom. */
const parents = (operations: readonly DatabaseOperation[]) =>
  operations.map(({ template, context }) => `${template.operationName} ${callerOf(context)}`);
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

describeWith(["redis-server"], "ioredis", () => {
  const instrumentation = redisInstrumentation();
  let server: RedisServer;
  let heard: Heard;
  const clients: { disconnect(): void }[] = [];

  beforeAll(async () => {
    context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
    server = await startRedis({ own: true });
    instrumentation.enable();
  });
  afterAll(async () => {
    instrumentation.disable();
    context.disable();
    await server.stop();
  });
  beforeEach(() => {
    heard = hear();
  });
  afterEach(() => {
    heard.stop();
    for (const client of clients.splice(0)) client.disconnect();
  });

  describe.each(drivers)("$version", ({ load, major }) => {
    const connect = (options: object = {}): RedisClient => {
      const client = new (load())(server.port, options);
      client.on("error", () => {});
      clients.push(client);
      return client;
    };
    const ready = async (options: object = {}): Promise<RedisClient> => {
      const client = connect(options);
      await once(client, "ready");
      heard.clear();
      return client;
    };

    test("a command is one operation that says what, where and for whom", async () => {
      const client = await ready({ db: 3 });
      await as("a", () => client.set("user:1", "secret value", "EX", 60));
      expect(heard.ended).toHaveLength(1);
      const [operation] = heard.ended;
      expect(operation).toMatchObject({
        template: {
          system: "redis",
          namespace: "3",
          operationName: "SET",
          collection: undefined,
          querySummary: "SET",
          queryText: "SET user:?",
          fingerprint: "SET user",
          effect: "write",
          serverAddress: "localhost",
          serverPort: server.port,
        },
        errorType: undefined,
      });
      expect(JSON.stringify(operation?.template)).not.toContain("secret");
      expect(operation && callerOf(operation.context)).toBe("a");
      expect(operation && operation.endMs > operation.startMs).toBe(true);
    });

    test("templates are shared by clients and told apart by database and key family", async () => {
      const one = await ready();
      const two = one.duplicate();
      clients.push(two);
      await one.get("user:1");
      await two.get("user:2");
      await two.get("page:2");
      await two.select(5);
      await two.get("user:2");
      await two.get("4711");
      const [a, b, c, , d, e] = heard.ended.map(({ template }) => template);
      expect(a).toBe(b);
      expect(c).not.toBe(a);
      expect([c?.fingerprint, c?.queryText]).toEqual(["GET page", "GET page:?"]);
      expect(d?.namespace).toBe("5");
      expect([e?.fingerprint, e?.queryText]).toEqual(["GET other", "GET ?"]);
    });

    test("key prefixes count as part of the key, buffers are keys too", async () => {
      const client = await ready({ keyPrefix: "shop:" });
      await client.get("user:1");
      await client.getBuffer(Buffer.from("user:1"));
      expect(heard.ended.map(({ template }) => template.queryText)).toEqual(["GET shop:?", "GET shop:?"]);
      expect(heard.tally()).toEqual({ "shop miss": 2 });
    });

    test("the outcome of a lookup is on the operation and reported for its request", async () => {
      const client = await ready();
      await client.mset({ "user:1": "a", "page:1": "", "user:2": "b" });
      heard.clear();
      await client.mget("user:1", "user:9", "user:2");
      await client.mget("user:1", "page:1", "page:9");
      expect(heard.ended).toMatchObject([
        { cacheHits: 2, cacheMisses: 1, cacheName: "user" },
        { cacheHits: 2, cacheMisses: 1, cacheName: undefined },
      ]);
      expect(heard.tally()).toEqual({ "user hit": 3, "user miss": 1, "page hit": 1, "page miss": 1 });
      expect(heard.lookups.every(({ system }) => system === "redis")).toBe(true);
    });

    test("the connection's own commands are nobody's", async () => {
      const client = as("connector", () =>
        connect({ db: 2, connectionName: "shop", readOnly: true, lazyConnect: true }),
      );
      await as("connector", () => client.connect());
      await sleep(20);
      expect(heard.started).toEqual([]);
      await as("a", () => client.client("SETNAME", "mine"));
      await as("a", () => client.select(4));
      await as("a", () => client.info());
      expect(parents(heard.ended)).toEqual(["CLIENT a", "SELECT a", "INFO a"]);
      // After a reconnect the database is selected again, by ioredis.
      heard.clear();
      client.disconnect(true);
      await once(client, "ready");
      await as("a", () => client.get("user:1"));
      expect(parents(heard.ended)).toEqual(["GET a"]);
      expect(heard.ended[0]?.template.namespace).toBe("4");
    });

    test("callers of the offline queue are the parents", async () => {
      const client = connect();
      await Promise.all([as("a", () => client.get("user:1")), as("b", () => client.get("user:2"))]);
      expect(parents(heard.started)).toEqual(["GET a", "GET b"]);
      expect(parents(heard.ended)).toEqual(["GET a", "GET b"]);
    });

    test("callers of a command that brings a lazy connection up are not the connection's parents", async () => {
      const client = connect({ lazyConnect: true });
      await as("a", () => client.get("user:1"));
      expect(parents(heard.ended)).toEqual(["GET a"]);
    });

    test("a pipeline has the parents that queued, and takes no time before it is sent", async () => {
      const client = await ready();
      const pipeline = client.pipeline();
      as("a", () => pipeline.set("user:1", "x"));
      as("b", () => pipeline.get("user:1"));
      await sleep(60);
      expect(heard.started).toEqual([]);
      const results = await as("c", () => pipeline.exec());
      expect(results).toEqual([
        [null, "OK"],
        [null, "x"],
      ]);
      expect(parents(heard.ended)).toEqual(["SET a", "GET b"]);
      for (const { startMs, endMs } of heard.ended) expect(endMs - startMs).toBeLessThan(50);
    });

    test("a pipeline that is never sent has no operations", async () => {
      const client = await ready();
      client.pipeline().get("user:1").get("user:2");
      await client.ping();
      expect(heard.names()).toEqual(["PING"]);
    });

    test("two requests that share an automatic pipeline keep their commands, from the call on", async () => {
      const client = await ready({ enableAutoPipelining: true });
      const [a, b] = await Promise.all([
        as("a", async () => {
          const reply = await client.get("user:1");
          return [reply, callerOf(context.active())];
        }),
        as("b", () => client.set("user:2", "y")),
      ]);
      expect([a, b]).toEqual([["x", "a"], "OK"]);
      expect(parents(heard.ended)).toEqual(["GET a", "SET b"]);
    });

    test("MULTI: each command gets its own answer from EXEC", async () => {
      const client = await ready();
      await client.del("user:9");
      await client.set("text:1", "t");
      heard.clear();
      const replies = await as("a", () =>
        client.multi().get("user:1").get("user:9").hget("text:1", "f").hgetall("hash:9").exec(),
      );
      expect(replies?.map(([error, reply]) => error?.message.split(" ")[0] ?? reply)).toEqual([
        "x",
        null,
        "WRONGTYPE",
        {},
      ]);
      expect(new Set(parents(heard.started))).toEqual(new Set(["MULTI a", "GET a", "HGET a", "HGETALL a", "EXEC a"]));
      const outcome = heard.ended.map(({ template, cacheHits, cacheMisses, errorType }) => [
        template.queryText,
        cacheHits,
        cacheMisses,
        errorType,
      ]);
      expect(outcome).toEqual([
        ["MULTI", 0, 0, undefined],
        ["GET user:?", 1, 0, undefined],
        ["GET user:?", 0, 1, undefined],
        ["HGET text:?", 0, 0, "WRONGTYPE"],
        ["HGETALL hash:?", 0, 1, undefined],
        ["EXEC", 0, 0, undefined],
      ]);
      expect(heard.ended.at(-1)?.batchSize).toBe(4);
      expect(heard.tally()).toEqual({ "user hit": 1, "user miss": 1, "text error": 1, "hash miss": 1 });
    });

    test("MULTI by hand: a command takes no longer than it took, its outcome is with EXEC", async () => {
      const client = await ready();
      await client.multi({ pipeline: false });
      expect(await client.get("user:1")).toBe("QUEUED");
      await sleep(60);
      expect(await client.exec()).toEqual([[null, "x"]]);
      expect(heard.names()).toEqual(["MULTI", "GET", "EXEC"]);
      expect(heard.ended.every(({ startMs, endMs }) => endMs - startMs < 50)).toBe(true);
      expect(heard.ended.map(({ cacheHits }) => cacheHits)).toEqual([0, 0, 1]);
      expect(heard.tally()).toEqual({ "user hit": 1 });
    });

    test("a connection lost within a transaction ends all of it with the error", async () => {
      const client = await ready({ retryStrategy: () => 1 });
      const other = await ready();
      // MULTI and GET are answered, SET and EXEC are not.
      await other.client("PAUSE", 1000, "WRITE");
      heard.clear();
      const sent = client.multi().get("user:1").set("user:1", "y").exec();
      await sleep(20);
      expect(heard.names()).toEqual(["MULTI"]);
      client.stream.destroy();
      await expect(sent).rejects.toThrow("aborted");
      await other.client("UNPAUSE");
      const outcome = heard.ended.map(({ template, errorType }) => [template.operationName, errorType]);
      expect(outcome.toSorted()).toEqual([
        ["CLIENT", undefined],
        ["EXEC", "AbortError"],
        ["GET", "AbortError"],
        ["MULTI", undefined],
        ["SET", "AbortError"],
      ]);
      expect(heard.tally()).toEqual({ "user error": 1 });
      // Nothing of it is left for the next one.
      await once(client, "ready");
      heard.clear();
      expect(await client.multi().get("user:1").exec()).toEqual([[null, "x"]]);
      expect(heard.tally()).toEqual({ "user hit": 1 });
    });

    test("an error is told once, by its first word, and the lookup is an error", async () => {
      const client = await ready();
      await client.rpush("list:1", "a");
      heard.clear();
      await expect(client.get("list:1")).rejects.toThrow("WRONGTYPE");
      expect(heard.ended).toMatchObject([{ errorType: "WRONGTYPE", statusCode: "WRONGTYPE" }]);
      expect(heard.tally()).toEqual({ "list error": 1 });
      await expect(client.call("NO.SUCH", "secret")).rejects.toThrow("secret");
      expect(heard.ended[1]).toMatchObject({ errorType: "ERR", template: { queryText: "NO.SUCH" } });
      expect(String(heard.ended[1]?.error)).not.toContain("secret");
    });

    test("callbacks get the same, in the caller's context", async () => {
      const client = await ready();
      await client.rpush("list:1", "a");
      heard.clear();
      const seen = await as(
        "a",
        () =>
          new Promise((resolve) => {
            void client.get("user:1", (error, reply) => resolve([error, reply, callerOf(context.active())]));
          }),
      );
      expect(seen).toEqual([null, "x", "a"]);
      const failed = await as(
        "b",
        () =>
          new Promise(
            (resolve) => void client.get("list:1", (error) => resolve([error?.name, callerOf(context.active())])),
          ),
      );
      expect(failed).toEqual(["ReplyError", "b"]);
      expect(parents(heard.ended)).toEqual(["GET a", "GET b"]);
    });

    test("what is still queued when the client goes ends with an error", async () => {
      const port = await freePort();
      const client = new (load())(port, { retryStrategy: () => null });
      client.on("error", () => {});
      const waiting = as("a", () => client.get("user:1"));
      await expect(waiting).rejects.toThrow("Connection is closed");
      await expect(as("b", () => client.get("user:1"))).rejects.toThrow("Connection is closed");
      expect(heard.ended.map(({ errorType }) => errorType)).toEqual(["Error", "Error"]);
      heard.clear();

      const impatient = new (load())(port, { maxRetriesPerRequest: 1, retryStrategy: () => 1 });
      clients.push(impatient);
      impatient.on("error", () => {});
      await expect(impatient.get("user:1")).rejects.toThrow("max retries");
      expect(heard.ended).toMatchObject([{ errorType: "MaxRetriesPerRequestError", statusCode: undefined }]);
    });

    test("a command that times out is told once, whatever comes later", async () => {
      const client = await ready({ commandTimeout: 30 });
      const other = await ready();
      await other.client("PAUSE", 120, "ALL");
      await expect(client.get("user:1")).rejects.toThrow("timed out");
      await sleep(150);
      expect(heard.ended.filter(({ template }) => template.operationName === "GET")).toHaveLength(1);
      expect(heard.tally()).toEqual({ "user error": 1 });
    });

    test("a command that is sent again after a lost connection is still one", async () => {
      const client = await ready({ retryStrategy: () => 1 });
      const other = await ready();
      const id = await client.client("ID");
      heard.clear();
      const popped = as("a", () => client.blpop("jobs:1", 2));
      await sleep(20);
      await other.client("KILL", "ID", id);
      await once(client, "ready");
      await other.rpush("jobs:1", "x");
      expect(await popped).toEqual(["jobs:1", "x"]);
      expect(parents(heard.ended.filter(({ template }) => template.operationName === "BLPOP"))).toEqual(["BLPOP a"]);
      expect(heard.started.length).toBe(heard.ended.length);
    });

    test("commands that wait are control", async () => {
      const client = await ready();
      await client.blpop("jobs:none", 0.01);
      await client.xread("BLOCK", 1, "STREAMS", "stream:1", "0");
      await client.xread("STREAMS", "stream:1", "0");
      expect(heard.ended.map(({ template }) => `${template.operationName} ${template.effect}`)).toEqual([
        "BLPOP control",
        "XREAD control",
        "XREAD read",
      ]);
    });

    test("subscribers hear their messages, also after a reconnect", async () => {
      const subscriber = await ready({ retryStrategy: () => 1 });
      const publisher = await ready();
      expect(await as("a", () => subscriber.subscribe("news", "sport"))).toBe(2);
      const first = once(subscriber, "message");
      await publisher.publish("news", "hello");
      expect(await first).toEqual(["news", "hello"]);
      expect(heard.names()).toEqual(["SUBSCRIBE", "PUBLISH"]);
      subscriber.disconnect(true);
      await once(subscriber, "ready");
      await sleep(20);
      const second = once(subscriber, "message");
      await publisher.publish("sport", "again");
      expect(await second).toEqual(["sport", "again"]);
      expect(heard.names()).toEqual(["SUBSCRIBE", "PUBLISH", "PUBLISH"]);
    });

    test("a monitor sees the commands of others", async () => {
      const client = await ready();
      const monitor = await client.monitor();
      clients.push(monitor);
      const seen = once(monitor, "monitor");
      await client.get("user:1");
      expect((await seen)[1]).toEqual(["get", "user:1"]);
    });

    test("scripts: one operation a call; one more where the server has to be told the script again", async () => {
      const client = await ready();
      client.defineCommand("both", { numberOfKeys: 1, lua: "return {KEYS[1], ARGV[1]}" });
      const both = (...args: string[]) => (client as unknown as { both: (...args: string[]) => unknown }).both(...args);
      expect(await as("a", () => both("user:1", "secret"))).toEqual(["user:1", "secret"]);
      expect(await as("b", () => both("user:1", "secret"))).toEqual(["user:1", "secret"]);
      expect(parents(heard.ended)).toEqual(["EVALSHA a", "EVALSHA b"]);
      expect(heard.ended[0]?.template.queryText).toBe("EVALSHA user:?");
      await client.script("FLUSH");
      heard.clear();
      expect(await as("c", () => both("user:1", "secret"))).toEqual(["user:1", "secret"]);
      expect(parents(heard.ended)).toEqual(["EVALSHA c", "EVALSHA c"]);
      expect(heard.ended).toMatchObject([{ errorType: undefined, statusCode: "NOSCRIPT" }, { errorType: undefined }]);
      await expect(client.evalsha("0".repeat(40), 0)).rejects.toThrow("NOSCRIPT");
      expect(heard.ended[2]).toMatchObject({ errorType: "NOSCRIPT" });
    });

    test("where tracing is suppressed nothing is heard, also from the offline queue", async () => {
      const client = connect();
      await context.with(suppressTracing(ROOT_CONTEXT), () => client.get("user:1"));
      await context.with(suppressTracing(ROOT_CONTEXT), () => client.pipeline().get("user:1").exec());
      expect(heard.started).toEqual([]);
      expect(heard.lookups).toEqual([]);
    });

    test("a reply transformer of the app changes nothing", async () => {
      const { Command } = load() as unknown as { Command: typeof import("ioredis").Command };
      const client = await ready();
      await client.hset("hash:1", "f", "v");
      heard.clear();
      const transformers = (Command as unknown as { _transformer: { reply: Record<string, unknown> } })._transformer
        .reply;
      const before = transformers["hgetall"];
      Command.setReplyTransformer("hgetall", () => null);
      try {
        expect(await client.hgetall("hash:1")).toBeNull();
      } finally {
        transformers["hgetall"] = before;
      }
      expect(heard.tally()).toEqual({ "hash hit": 1 });
    });

    test("the command's promise is the driver's own", async () => {
      const { Command } = load() as unknown as { Command: typeof import("ioredis").Command };
      const client = await ready();
      const command = new Command("get", ["user:1"], { replyEncoding: "utf8" });
      const promise = client.sendCommand(command);
      expect(promise).toBe(command.promise);
      expect(await promise).toBe("x");
      expect(heard.names()).toEqual(["GET"]);
    });

    test("who looks at a pipeline and its commands sees what is ioredis's own", async () => {
      const client = await ready();
      const see = async () => {
        const pipeline = client.pipeline().get("user:1").set("user:1", "x");
        const commands = (pipeline as unknown as { _queue: object[] })._queue;
        await pipeline.exec();
        return [pipeline, ...commands].map((object) => Reflect.ownKeys(object).map(String).sort());
      };
      const watched = await see();
      expect(heard.names()).toEqual(["GET", "SET"]);
      instrumentation.disable();
      const alone = await see();
      instrumentation.enable();
      expect(watched).toEqual(alone);
    });

    test("nobody listens: commands go straight through", async () => {
      const client = await ready();
      heard.stop();
      expect(await client.get("user:1")).toBe("x");
      expect(await client.multi().get("user:1").exec()).toEqual([[null, "x"]]);
      expect(heard.started).toEqual([]);
    });

    test("disable restores what was patched, enable patches again", async () => {
      const Redis = load();
      const { Cluster, Pipeline } = Redis as unknown as Record<"Cluster" | "Pipeline", { prototype: object }>;
      const methods = () =>
        [
          [Redis.prototype, "sendCommand"],
          [Redis.prototype, "setStatus"],
          [Cluster.prototype, "sendCommand"],
          [Pipeline.prototype, "sendCommand"],
        ].map(([owner, name]) => Object.getOwnPropertyDescriptor(owner as object, name as string));
      const patched = methods();
      instrumentation.disable();
      const original = methods();
      for (const [i, descriptor] of original.entries()) {
        expect(descriptor?.value).not.toBe(patched[i]?.value);
        expect(descriptor?.value.toString()).not.toContain("Reflect.apply");
        expect({ ...descriptor, value: 0 }).toEqual({ ...patched[i], value: 0 });
        expect([patched[i]?.value.name, patched[i]?.value.length]).toEqual([
          descriptor?.value.name,
          descriptor?.value.length,
        ]);
      }
      const client = connect();
      await client.get("user:1");
      expect(heard.started).toEqual([]);
      instrumentation.enable();
      await client.get("user:1");
      expect(heard.names()).toEqual(["GET"]);
      expect(major).toBeGreaterThan(4);
    });
  });
});

import { AsyncLocalStorage } from "node:async_hooks";
import { context, createContextKey, SpanStatusCode, trace } from "@opentelemetry/api";
import { addListener, type DatabaseOperation, suppress } from "@telltale/core";
import { describeWith } from "@telltale/test/describe-with";
import { freePort, type MemcachedServer, startMemcached } from "@telltale/test/servers";
import { collect, type Collection, waitFor } from "@telltale/testkit";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { instrumentations, releasesOf } from "./libraries.js";

type Done = (error: unknown, value?: unknown) => void;

/** What the tests use of memcached … */
interface Memcached {
  get(key: string | string[], done: Done): void;
  gets(key: string, done: Done): void;
  getMulti(keys: string[], done: Done): void;
  set(key: string, value: unknown, lifetime: number, done?: Done): void;
  add(key: string, value: unknown, lifetime: number, done: Done): void;
  cas(key: string, value: unknown, cas: unknown, lifetime: number, done: Done): void;
  incr(key: string, by: number, done: Done): void;
  touch(key: string, lifetime: number, done: Done): void;
  del(key: string, done: Done): void;
  flush(done: Done): void;
  end(): void;
}
type MemcachedClass = new (servers: string | string[], options?: object) => Memcached;

/** … and of memjs. */
interface Memjs {
  get(key: string, done: (error: unknown, value: Buffer | null) => void): void;
  get(key: string): Promise<{ value: Buffer | null }>;
  set(key: string, value: string, options: object, done: Done): void;
  set(key: string, value: string, options: object): Promise<boolean>;
  add(key: string, value: string, options: object, done: Done): void;
  increment(key: string, by: number, options: object, done: Done): void;
  delete(key: string, done: Done): void;
  touch(key: string, expires: number, done: Done): void;
  close(): void;
}
interface MemjsModule {
  readonly Client: { create(servers: string, options?: object): Memjs; readonly prototype: object };
}

const asked = (run: (done: Done) => void) =>
  new Promise<unknown>((resolve, reject) =>
    run((error, value) => (error === undefined || error === null ? resolve(value) : reject(error as Error))),
  );

/** With its key, it is more than the server takes. */
const tooLarge = "x".repeat(1 << 20);

describeWith(["memcached"], "Memcached", () => {
  let server: MemcachedServer;
  let second: MemcachedServer;
  let collected: Collection;
  let keysUsed: unknown[] = [];
  let stopKeys = (): void => {};
  beforeAll(async () => {
    [server, second] = await Promise.all([startMemcached(), startMemcached()]);
    collected = collect();
    stopKeys = addListener({ name: "keys", keyUsed: (cache, key, use) => void keysUsed.push([cache, key, use]) });
  });
  afterEach(() => {
    collected.reset();
    keysUsed = [];
  });
  afterAll(async () => {
    stopKeys();
    collected.stop();
    await Promise.all([server.stop(), second.stop()]);
  });
  const calls = () => collected.operations as readonly DatabaseOperation[];
  const texts = () => calls().map(({ template }) => template.queryText);
  const lookups = () => collected.lookups.map(({ cache, result, keys, system }) => [cache, result, keys, system]);
  /** Hits and misses, as we and as the server have counted them. */
  const compared = async (run: () => Promise<void>, servers: readonly MemcachedServer[] = [server]) => {
    const read = async () => {
      const all = await Promise.all(servers.map((one) => one.stats()));
      const sum = (name: string) => all.reduce((total, stats) => total + (stats[name] ?? 0), 0);
      return { hits: sum("get_hits"), misses: sum("get_misses"), sets: sum("cmd_set") };
    };
    const before = await read();
    collected.reset();
    await run();
    const after = await read();
    const count = (wanted: string) =>
      collected.lookups.filter(({ result }) => result === wanted).reduce((total, { keys }) => total + keys, 0);
    expect({ hits: count("hit"), misses: count("miss") }).toEqual({
      hits: after.hits - before.hits,
      misses: after.misses - before.misses,
    });
    const stored = calls().filter(({ template }) => /^(SET|ADD|CAS)$/.test(template.operationName ?? ""));
    expect(stored).toHaveLength(after.sets - before.sets);
    return { hits: after.hits - before.hits, misses: after.misses - before.misses };
  };

  describe.each(releasesOf<MemcachedClass>("memcached"))("memcached, $release", ({ library: Client }) => {
    let client: Memcached;
    beforeAll(() => {
      client = new Client(server.address);
    });
    afterAll(() => client.end());

    test("a call is one operation and one span, with the server and a pattern of the key, and no value", async () => {
      await asked((done) => client.set("user:1", "s3cret", 60, done));
      expect(await asked((done) => client.get("user:1", done))).toBe("s3cret");
      expect(await asked((done) => client.get("user:2", done))).toBeUndefined();
      expect(await asked((done) => client.get("a0b1c2", done))).toBeUndefined();
      expect(texts()).toEqual(["SET user:?", "GET user:?", "GET user:?", "GET ?"]);
      expect(collected.spans.map(({ name }) => name)).toEqual(["SET", "GET", "GET", "GET"]);
      expect(collected.spans[1]?.attributes).toMatchObject({
        "db.system.name": "memcached",
        "db.operation.name": "GET",
        "db.query.text": "GET user:?",
        "server.address": "127.0.0.1",
        "server.port": server.port,
      });
      expect(lookups()).toEqual([
        ["user", "hit", 1, "memcached"],
        ["user", "miss", 1, "memcached"],
        ["other", "miss", 1, "memcached"],
      ]);
      expect(keysUsed).toEqual([
        ["user", "user:1", "write"],
        ["user", "user:1", "hit"],
        ["user", "user:2", "miss"],
        ["other", "a0b1c2", "miss"],
      ]);
      const told = JSON.stringify([collected.spans.map(({ attributes }) => attributes), lookups()]);
      expect(told).not.toContain("s3cret");
    });

    test("counts the hits, misses and writes that the server counts, key by key", async () => {
      const counted = await compared(async () => {
        for (const key of ["item:1", "item:2", "session:1"]) await asked((done) => client.set(key, { key }, 60, done));
        await asked((done) => client.set("item:zero", 0, 60, done));
        expect(await asked((done) => client.get("item:zero", done))).toBe(0);
        await asked((done) => client.gets("item:1", done));
        await asked((done) => client.gets("item:9", done));
        const many = ["item:1", "item:9", "session:1", "item:2", "session:9"];
        expect(Object.keys((await asked((done) => client.getMulti(many, done))) as object)).toHaveLength(3);
        await asked((done) => client.get(["item:1", "item:8"], done));
        await asked((done) => client.touch("item:1", 10, done));
        await asked((done) => client.incr("item:zero", 2, done));
        await asked((done) => client.del("item:2", done));
        await asked((done) => client.get("item:2", done));
      });
      expect(counted).toEqual({ hits: 6, misses: 5 });
      expect(calls()).toHaveLength(13);
      const multi = calls().find(({ template }) => template.batch === true);
      expect([multi?.template.queryText, multi?.cacheHits, multi?.cacheMisses]).toEqual(["GET item:?", 3, 2]);
      expect(lookups()).toContainEqual(["session", "miss", 1, "memcached"]);
      expect(lookups()).toContainEqual(["item", "hit", 2, "memcached"]);
    });

    test("several servers: a call goes to one of them, that for several keys is still one", async () => {
      const both = new Client([server.address, second.address], { namespace: "app:" });
      const keys = Array.from({ length: 20 }, (_, n) => `thing-${n}`);
      const counted = await compared(async () => {
        for (const key of keys.slice(0, 15)) await asked((done) => both.set(key, key, 60, done));
        await asked((done) => both.getMulti(keys, done));
      }, [server, second]);
      expect(counted).toEqual({ hits: 15, misses: 5 });
      const ports = calls().map(({ template }) => template.serverPort);
      expect(new Set(ports)).toEqual(new Set([server.port, second.port, undefined]));
      expect(calls()).toHaveLength(16);
      expect(lookups()).toEqual([
        ["app", "hit", 15, "memcached"],
        ["app", "miss", 5, "memcached"],
      ]);
      both.end();
    });

    test("what is not stored is an answer, what the server refuses a failure", async () => {
      await asked((done) => client.set("once:1", "a", 60, done));
      await expect(asked((done) => client.add("once:1", "b", 60, done))).rejects.toMatchObject({ notStored: true });
      await expect(asked((done) => client.incr("once:1", 1, done))).rejects.toThrow("non-numeric");
      // It takes the server for lost then.
      const refused = new Client(server.address);
      expect(await asked((done) => refused.set("once:1", tooLarge, 60, done))).toBe(false);
      refused.end();
      expect(calls().map(({ errorType }) => errorType)).toEqual([undefined, undefined, "Error", "SERVER_ERROR"]);
      expect(collected.spans.map(({ status }) => status.code === SpanStatusCode.ERROR)).toEqual([
        false,
        false,
        true,
        true,
      ]);
    });

    test("no server: a failed call, and a lookup that is an error and no miss", async () => {
      const port = await freePort();
      const lost = new Client(`127.0.0.1:${port}`, { retries: 0, timeout: 200, minTimeout: 1 });
      await expect(asked((done) => lost.get("user:1", done))).rejects.toThrow();
      await expect(asked((done) => lost.getMulti(["user:1", "user:2"], done))).rejects.toBeDefined();
      expect(calls().map(({ errorType, template }) => [errorType, template.serverPort])).toEqual([
        [expect.any(String), port],
        [expect.any(String), port],
      ]);
      expect(lookups()).toEqual([
        ["user", "error", 1, "memcached"],
        ["user", "error", 2, "memcached"],
      ]);
      lost.end();
    });

    test("callbacks run in their caller's context with what they had, and what the client refuses stays refused", async () => {
      const own = new AsyncLocalStorage<string>();
      const key = createContextKey("caller");
      const seen = await new Promise<unknown[]>((resolve) => {
        context.with(context.active().setValue(key, "caller"), () =>
          client.get("user:none", function (this: { type?: string }, ...args: unknown[]) {
            resolve([context.active().getValue(key), this.type, args, own.getStore()]);
          }),
        );
      });
      expect(seen).toEqual(["caller", "get", [undefined, undefined], undefined]);
      expect(client.set("user:1", 1, 60)).toBeUndefined();
      await expect(asked((done) => client.get("with space", done))).rejects.toThrow("whitespace");
      expect(calls().map(({ errorType }) => errorType)).toEqual([undefined, "Error"]);
    });

    test("its spans are below the caller's; nothing is told of what is suppressed or after disable", async () => {
      await trace.getTracer("test").startActiveSpan("parent", async (parent) => {
        await asked((done) => client.getMulti(["user:1"], done));
        parent.end();
      });
      const [get, parent] = collected.spans;
      expect(get?.parentSpanContext?.spanId).toBe(parent?.spanContext().spanId);
      collected.reset();
      await context.with(suppress(context.active()), () => asked((done) => client.get("user:1", done)));
      const { command } = Client.prototype as { command: unknown };
      instrumentations.memcached.disable();
      await asked((done) => client.get("user:1", done));
      const original = (Client.prototype as { command: unknown }).command;
      expect(original).not.toBe(command);
      expect([calls(), lookups()]).toEqual([[], []]);
      instrumentations.memcached.enable();
    });
  });

  describe.each(releasesOf<MemjsModule>("memjs"))("memjs, $release", ({ release, library: { Client } }) => {
    const quiet = { logger: { log() {} } };
    let client: Memjs;
    beforeAll(() => {
      client = Client.create(server.address, quiet);
    });
    afterAll(() => client.close());

    test("counts the hits, misses and writes that the server counts", async () => {
      const counted = await compared(async () => {
        expect(await asked((done) => client.set("user:1", "s3cret", { expires: 60 }, done))).toBe(true);
        expect(await asked((done) => client.add("user:1", "b", {}, done))).toBe(false);
        expect(String(await asked((done) => client.get("user:1", done)))).toBe("s3cret");
        expect(await asked((done) => client.get("user:2", done))).toBeNull();
        await asked((done) => client.touch("user:1", 60, done));
        expect(await asked((done) => client.delete("user:1", done))).toBe(true);
        expect(await asked((done) => client.delete("user:1", done))).toBe(false);
        expect(await asked((done) => client.get("user:1", done))).toBeNull();
      });
      expect(counted).toEqual({ hits: 1, misses: 2 });
      expect(calls().map(({ template, errorType }) => [template.querySummary, errorType])).toEqual(
        ["SET", "ADD", "GET", "GET", "TOUCH", "DELETE", "DELETE", "GET"].map((name) => [name, undefined]),
      );
      expect(collected.spans[2]?.attributes).toMatchObject({
        "db.system.name": "memcached",
        "db.query.text": "GET user:?",
        "server.address": "127.0.0.1",
        "server.port": server.port,
      });
      expect(keysUsed.slice(0, 4)).toEqual([
        ["user", "user:1", "write"],
        ["user", "user:1", "use"],
        ["user", "user:1", "hit"],
        ["user", "user:2", "miss"],
      ]);
    });

    test("what the server refuses is a failure, as is a server that is not there, once for all tries", async () => {
      await expect(asked((done) => client.set("user:1", tooLarge, {}, done))).rejects.toThrow();
      await asked((done) => client.set("user:1", "word", {}, done));
      await expect(asked((done) => client.increment("user:1", 1, {}, done))).rejects.toThrow();
      const port = await freePort();
      const lost = Client.create(`127.0.0.1:${port}`, { ...quiet, retries: 2, retry_delay: 0.01 });
      await expect(asked((done) => lost.get("user:1", done))).rejects.toThrow();
      expect(calls().map(({ errorType, statusCode }) => [errorType, statusCode])).toEqual([
        ["TOO_LARGE", "3"],
        [undefined, undefined],
        ["NOT_A_NUMBER", "6"],
        ["ECONNREFUSED", undefined],
      ]);
      expect(lookups()).toEqual([["user", "error", 1, "memcached"]]);
      lost.close();
    });

    test("callbacks run in their caller's context, and promises are its own", async () => {
      const key = createContextKey("caller");
      const caller = await new Promise((resolve) => {
        context.with(context.active().setValue(key, "caller"), () =>
          client.get("user:none", () => resolve(context.active().getValue(key))),
        );
      });
      expect(caller).toBe("caller");
      if (release !== "the oldest release") {
        expect(await client.get("user:none")).toMatchObject({ value: null });
        expect(await client.set("user:3", "c", {})).toBe(true);
        expect(calls()).toHaveLength(3);
      }
    });
  });

  test("a promise of memjs that nobody handles is unhandled", async () => {
    const { library } = releasesOf<MemjsModule>("memjs")[1] ?? { library: undefined };
    const lost = library?.Client.create(`127.0.0.1:${await freePort()}`, { logger: { log() {} }, retries: 1 });
    const unhandled: unknown[] = [];
    const listeners = process.listeners("unhandledRejection");
    process.removeAllListeners("unhandledRejection");
    process.on("unhandledRejection", (error) => unhandled.push(error));
    try {
      void lost?.get("user:1");
      await waitFor(() => unhandled.length > 0, "the rejection");
    } finally {
      process.removeAllListeners("unhandledRejection");
      for (const listener of listeners) process.on("unhandledRejection", listener);
    }
    expect(unhandled).toEqual([expect.objectContaining({ code: "ECONNREFUSED" })]);
    lost?.close();
  });
});

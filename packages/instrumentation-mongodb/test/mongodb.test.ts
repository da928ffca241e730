import { trace } from "@opentelemetry/api";
import { addListener, type DatabaseOperation, readPools } from "@telltale/core";
import { type FakeMongod, startFakeMongod } from "@telltale/test/servers";
import { collect, type Collection } from "@telltale/testkit";
import type { Collection as Things, MongoClient } from "mongodb";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { templateOf } from "../src/templates.js";
import { instrumentation, releases } from "./mongodb.js";

let server: FakeMongod;
let collected: Collection;
beforeAll(async () => {
  server = await startFakeMongod();
  collected = collect();
});
afterEach(() => {
  collected.reset();
  server.received.length = 0;
});
afterAll(() => {
  collected.stop();
  server.close();
});
const calls = () => collected.operations as readonly DatabaseOperation[];
const told = () => calls().map(({ template }) => template.querySummary);

describe.each(releases)("$name, against what is no MongoDB", ({ driver }) => {
  let client: MongoClient;
  let things: Things<{ _id?: string | number; n?: number }>;
  const open = (options: object = {}) =>
    new driver.MongoClient(`mongodb://127.0.0.1:${server.port}/`, {
      directConnection: true,
      retryWrites: false,
      retryReads: false,
      ...options,
    }).connect();
  const reading = (name = `127.0.0.1:${server.port}`) => readPools().find(({ pool }) => pool.name.startsWith(name));
  beforeAll(async () => {
    client = await open({ maxPoolSize: 1, waitQueueTimeoutMS: 5_000 });
    things = client.db("shop").collection("things");
    await things.findOne({});
    collected.reset();
    server.received.length = 0;
  });
  afterAll(() => client.close());

  test("every command gives what it gives alone, and is one operation", async () => {
    expect(await things.findOne({ n: 1 })).toEqual({ n: 0 });
    expect(await things.find({ n: { $in: [1, 2] } }).toArray()).toHaveLength(7);
    expect(await things.aggregate([{ $match: { n: 1 } }]).toArray()).toHaveLength(7);
    expect((await things.insertMany([{ n: 1 }, { n: 2 }])).insertedCount).toBe(2);
    expect((await things.updateMany({ n: 1 }, { $set: { n: 2 } })).modifiedCount).toBe(2);
    expect((await things.deleteMany({ n: 1 })).deletedCount).toBe(3);
    expect(await things.findOneAndUpdate({ n: 1 }, { $set: { n: 2 } })).toEqual({ n: 1 });
    expect(await things.estimatedDocumentCount()).toBe(7);
    await client.db("shop").command({ ping: 1 });
    await client.db("shop").command({ usersInfo: "s3cret" });
    expect(server.received.map((command) => command.replace(/ (1|s3cret)$/, ""))).toEqual(told());
    expect(calls().map(({ rows }) => rows)).toEqual([1, 7, 7, 2, 2, 3, ...Array.from({ length: 4 })]);
    expect(calls().map(({ template }) => template.effect)).toEqual([
      ...Array.from({ length: 3 }, () => "read"),
      ...Array.from({ length: 4 }, () => "write"),
      "read",
      ...Array.from({ length: 2 }, () => "control"),
    ]);
    expect(calls().map(({ template }) => template.batch)).toEqual([
      false,
      true,
      ...Array.from({ length: 8 }, () => false),
    ]);
    expect(calls()[3]?.batchSize).toBe(2);
    expect(collected.spans[1]?.attributes).toMatchObject({
      "db.system.name": "mongodb",
      "db.namespace": "shop",
      "db.collection.name": "things",
      "db.operation.name": "find",
      "db.query.summary": "find things",
      "db.client.connection.pool.name": reading()?.pool.name,
      "server.address": "127.0.0.1",
      "server.port": server.port,
    });
    expect(JSON.stringify(collected.spans.map(({ attributes }) => attributes))).not.toContain("s3cret");
  });

  test("a cursor is one operation for each time that it asks the server", async () => {
    expect(await things.find({}, { batchSize: 3 }).toArray()).toHaveLength(7);
    expect(told()).toEqual(["find things", "getMore things", "getMore things"]);
    expect(calls().map(({ rows }) => rows)).toEqual([3, 3, 1]);
    expect(calls().map(({ template }) => template.effect)).toEqual(["read", "control", "control"]);
  });

  test("shapes are told apart by fields, calls by values", async () => {
    await things.findOne({ n: 1 });
    await things.findOne({ n: 2 });
    await things.findOne({ _id: 1 });
    const [one, two, other] = calls();
    expect(one?.template).toBe(two?.template);
    expect(one?.parameters).not.toEqual(two?.parameters);
    expect(other?.template.fingerprint).not.toBe(one?.template.fingerprint);
  });

  test("what fails is told once, without keys and values", async () => {
    const database = client.db("shop");
    await expect(database.collection("boom").findOne({ $s3cret: 1 })).rejects.toMatchObject({
      code: 2,
      message: "unknown operator: $s3cret",
    });
    await expect(things.insertOne({ _id: "s3cret" })).rejects.toMatchObject({ code: 11_000 });
    await expect(database.collection("gone").findOne({})).rejects.toThrow(/closed/);
    await expect(database.collection("unsure").insertOne({})).rejects.toThrow("waiting for s3cret timed out");
    await expect(things.insertOne({ "s3cret\0": 1 } as object)).rejects.toThrow("s3cret");
    expect(calls().map(({ errorType, statusCode }) => [errorType, statusCode])).toEqual([
      ["BadValue", "2"],
      ["MongoServerError", "11000"],
      ["MongoNetworkError", undefined],
      ["WriteConcernTimeout", "64"],
      ["BSONError", undefined],
    ]);
    const all = JSON.stringify(collected.spans.map(({ attributes, events, status }) => [attributes, events, status]));
    expect(all).not.toContain("s3cret");
  });

  test("none of the app's code runs for what is told", async () => {
    let reads = 0;
    const reading = (get: () => number): object => Object.defineProperty({}, "n", { enumerable: true, get });
    const throwing = reading(() => {
      throw new Error("of the app's");
    });
    const filters = [reading(() => ++reads), throwing, throwing, throwing];
    const pipelines = [[null, 7], new Proxy([{ $match: {} }], {})] as object[][];
    const found = await Promise.allSettled([
      ...filters.map((filter) => things.findOne(filter)),
      ...pipelines.map((pipeline) => things.aggregate(pipeline).toArray()),
      client.db("shop").runCursorCommand({ ping: 1 }).toArray(),
    ]);
    expect(reads).toBe(1);
    const results = found.map(({ status }) => status === "fulfilled");
    expect(results).toEqual([true, false, false, false, true, true, false]);
    expect(told()).toEqual([...filters.map(() => "find things"), ...pipelines.map(() => "aggregate things"), "ping"]);
  });

  test("a write of several collections fails when one of its writes does", async () => {
    if (!("bulkWrite" in client)) return;
    const insert = (id: string) =>
      ({ name: "insertOne", namespace: "shop.things", document: { _id: id as never } }) as const;
    expect((await client.bulkWrite([insert("a"), insert("b")])).insertedCount).toBe(2);
    await expect(client.bulkWrite([insert("a"), insert("s3cret"), insert("b")])).rejects.toThrow();
    expect(calls().map(({ rows, batchSize, statusCode }) => [rows, batchSize, statusCode])).toEqual([
      [2, 2, undefined],
      [1, 3, "11000"],
    ]);
  });

  test("two callers share a connection: each has its own commands, and their waits", async () => {
    const tracer = trace.getTracer("test");
    const doze = client.db("shop").collection("doze");
    await Promise.all(
      ["one", "two"].map((name) =>
        tracer.startActiveSpan(name, async (parent) => {
          await doze.findOne({});
          await client.db(name).collection("things").findOne({});
          parent.end();
        }),
      ),
    );
    for (const name of ["one", "two"]) {
      const parent = collected.spans.find((span) => span.name === name);
      const below = collected.spans.filter((span) => span.parentSpanContext?.spanId === parent?.spanContext().spanId);
      expect(below.map(({ attributes }) => attributes["db.namespace"])).toEqual(["shop", name]);
    }
    const [first, second] = calls().filter(({ template }) => template.collection === "doze");
    expect(first?.waitMs).toBeLessThan(50);
    expect(second?.waitMs).toBeGreaterThan(50);
  });

  test("a pool counts as it does itself", async () => {
    const running = client.db("shop").collection("doze").findOne({});
    const soon = { interval: 1 };
    await expect.poll(() => reading()?.reading, soon).toEqual({ used: 1, idle: 0, pending: 0, limit: 1, idleMin: 0 });
    const waiting = things.findOne({});
    await expect.poll(() => reading()?.reading.pending, soon).toBe(1);
    await Promise.all([running, waiting]);
    expect(reading()?.reading).toEqual({ used: 0, idle: 1, pending: 0, limit: 1, idleMin: 0 });
  });

  test("of those who ask at once, who comes too late waits for the others", async () => {
    const own = await open({ maxPoolSize: 2 });
    const doze = own.db("shop").collection("doze");
    let waited = 0;
    const stop = addListener({ name: "test", poolWaited: () => void waited++ });
    for (const expected of [1, 2]) {
      await Promise.all([doze.findOne({}), doze.findOne({}), doze.findOne({})]);
      expect(waited).toBe(expected);
    }
    stop();
    await own.close();
  });

  test("a wait that ends without a connection is a time-out of the pool", async () => {
    const tight = await open({ maxPoolSize: 1, waitQueueTimeoutMS: 150 });
    const sleep = tight.db("shop").collection("sleep");
    const timedOut: string[] = [];
    const stop = addListener({ name: "test", poolTimedOut: ({ name }) => void timedOut.push(name) });
    const results = await Promise.allSettled([sleep.findOne({}), sleep.findOne({})]);
    stop();
    expect(results.map(({ status }) => status)).toEqual(["fulfilled", "rejected"]);
    expect(timedOut).toHaveLength(1);
    await tight.close();
    expect(readPools().some(({ pool }) => pool.name === timedOut[0])).toBe(false);
  });

  test("a server is named as the app names it", async () => {
    const own = await new driver.MongoClient(`mongodb://localhost:${server.port}/`, {
      directConnection: true,
    }).connect();
    await own.db("shop").collection("things").findOne({});
    await own.close();
    const { serverAddress, serverPort } = calls()[0]?.template ?? {};
    expect([serverAddress, serverPort]).toEqual(["localhost", server.port]);
    const asked = {
      name: "ping",
      collection: undefined,
      shape: "",
      isBatch: false,
      values: undefined,
      size: undefined,
    };
    expect(templateOf("[::1]:27017", "shop", "pool", asked)).toMatchObject({
      serverAddress: "::1",
      serverPort: 27_017,
    });
  });

  test("nothing is heard once it is off", async () => {
    const own = await open();
    const collection = own.db("shop").collection("things");
    await collection.findOne({});
    instrumentation.disable();
    expect(readPools()).toEqual([]);
    expect(await collection.findOne({})).toEqual({ n: 0 });
    instrumentation.enable();
    await collection.findOne({});
    await own.close();
    expect(told().filter((summary) => summary === "find things")).toHaveLength(2);
    await things.findOne({});
  });
});

import { mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { trace } from "@opentelemetry/api";
import { type DatabaseOperation, takeAllSites } from "@telltale/core";
import { collect, type Collection } from "@telltale/testkit";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { nameOf } from "../src/target.js";
import { type BetterDatabase, type Database, instrumentations, libraries } from "./databases.js";

let collected: Collection;
let folder: string;
beforeAll(() => {
  collected = collect();
  folder = mkdtempSync(join(tmpdir(), "telltale-sqlite-"));
});
afterEach(() => collected.reset());
afterAll(() => {
  collected.stop();
  rmSync(folder, { recursive: true });
});
const calls = () => collected.operations as readonly DatabaseOperation[];
const summaries = () => calls().map(({ template }) => template.querySummary);
const rows = () => calls().map((call) => call.rows);

test.each([
  [undefined, undefined],
  ["", undefined],
  [":memory:", undefined],
  ["/var/lib/shop.db", "shop.db"],
  ["file:/var/lib/shop.db?mode=ro&key=s3cret", "shop.db"],
  ["file::memory:?cache=shared", undefined],
])("%j is the database %j", (location, name) => {
  expect(nameOf(location)).toBe(name);
});

describe.each(libraries)("$name", ({ open, exists, isBetter }) => {
  let database: Database;
  beforeAll(() => {
    database = open(":memory:");
    database.exec("CREATE TABLE things (id INTEGER PRIMARY KEY, name TEXT)");
    database.exec("INSERT INTO things VALUES (1, 's3cret'), (2, 'b'), (3, 'c')");
    collected.reset();
  });
  afterAll(() => void database.close());

  test("every form gives what it gives alone, and is one operation", () => {
    expect(database.prepare("SELECT name FROM things WHERE id = ?").get(2)).toEqual({ name: "b" });
    expect(database.prepare("SELECT name FROM things WHERE id = ?").get(99)).toBe(undefined);
    expect(database.prepare("SELECT id FROM things WHERE id > @least").all({ least: 1 })).toEqual([
      { id: 2 },
      { id: 3 },
    ]);
    expect(Number(database.prepare("UPDATE things SET name = ? WHERE id > ?").run("x", 1).changes)).toBe(2);
    expect(database.exec("DELETE FROM things WHERE id = 77")).toBe(isBetter ? database : undefined);
    expect(summaries()).toEqual(["SELECT things", "SELECT things", "SELECT things", "UPDATE things", "DELETE things"]);
    expect(rows()).toEqual([1, 0, 2, 2, undefined]);
    expect(calls()[0]?.template).toMatchObject({ system: "sqlite", operationName: "SELECT", collection: "things" });
  });

  test("a statement is not told of until it runs, and then each time", () => {
    let ticks = 0;
    database.function("tick", () => ++ticks);
    const statement = database.prepare("SELECT tick() AS n");
    expect(calls()).toEqual([]);
    for (let n = 1; n <= 50; n++) expect(statement.get()).toEqual({ n });
    expect(statement.all()).toEqual([{ n: 51 }]);
    expect([...statement.iterate()]).toEqual([{ n: 52 }]);
    expect(calls()).toHaveLength(ticks);
  });

  test("an operation lasts as long as the event loop is blocked", () => {
    database.function("doze", (ms: number) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms) && 1);
    database.prepare("SELECT doze(?) AS a").get(60);
    const [call] = calls();
    expect((call?.endMs ?? 0) - (call?.startMs ?? 0)).toBeGreaterThanOrEqual(59);
    collected.reset();
    const statement = database.prepare("SELECT doze(20) AS a UNION ALL SELECT doze(20) AS b");
    for (const row of statement.iterate()) {
      expect(row).toEqual({ a: 1 });
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100);
    }
    const [read] = calls();
    const ms = (read?.endMs ?? 0) - (read?.startMs ?? 0);
    expect(ms).toBeGreaterThanOrEqual(39);
    expect(ms).toBeLessThan(150);
    expect(read?.rows).toBe(2);
  });

  test("rows are the driver's own iterator; left early it is one operation with what was read", () => {
    const statement = database.prepare("SELECT id FROM things ORDER BY id");
    for (const row of statement.iterate()) {
      expect(row).toEqual({ id: 1 });
      break;
    }
    expect(rows()).toEqual([1]);
    const iterator = statement.iterate();
    expect(iterator[Symbol.iterator]()).toBe(iterator);
    expect([...iterator].length).toBe(3);
    expect(iterator.next().done).toBe(true);
    expect(rows()).toEqual([1, 3]);
  });

  test("what fails throws the driver's own error, once told, without values", () => {
    let thrown: unknown;
    const statement = database.prepare("INSERT INTO things VALUES (?, 's3cret')");
    try {
      statement.run(1);
    } catch (error) {
      thrown = error;
    }
    expect((thrown as Error).message).toBe("UNIQUE constraint failed: things.id");
    expect(() => database.prepare("SELECT 's3cret' FROM nowhere")).toThrow("no such table: nowhere");
    expect(() => database.exec("SELECT 's3cret' 's3cret' 's3cret'")).toThrow(/near "'s3cret'"/);
    database.function("boom", () => {
      throw new RangeError("mine");
    });
    expect(() => database.prepare("SELECT boom()").get()).toThrow("mine");
    expect(calls().map(({ errorType, statusCode }) => [errorType, statusCode])).toEqual([
      exists,
      ...Array.from({ length: 2 }, () => (isBetter ? ["SQLITE_ERROR", "SQLITE_ERROR"] : ["ERR_SQLITE_ERROR", "1"])),
      ["RangeError", undefined],
    ]);
    const told = JSON.stringify(
      collected.spans.map(({ name, attributes, events, status }) => [name, attributes, events, status]),
    );
    expect(told).toContain("INSERT INTO things VALUES (?");
    expect(told).not.toContain("s3cret");
  });

  test("what an app's function throws arrives as it is, also where it cannot be read", () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    const unreadable = {
      get code(): never {
        throw new RangeError("not to be read");
      },
    };
    for (const [name, mine] of Object.entries({ revoked: proxy, unreadable })) {
      database.function(name, () => {
        throw mine;
      });
      const statement = database.prepare(`SELECT ${name}()`);
      const runs = [
        () => statement.get(),
        () => statement.all(),
        () => [...statement.iterate()],
        () => database.exec(`SELECT ${name}()`),
      ];
      for (const run of runs) {
        let isMine = false;
        try {
          run();
        } catch (error) {
          isMine = error === mine;
        }
        expect(isMine).toBe(true);
      }
    }
    expect(calls().map(({ errorType }) => errorType)).toEqual(Array.from({ length: 8 }, () => "_OTHER"));
  });

  test("called on nothing, the driver refuses, and is heard on", () => {
    const { prepare } = database as { prepare: unknown };
    for (let n = 0; n < 3; n += 1)
      expect(() => Reflect.apply(prepare as () => void, undefined, ["SELECT 1"])).toThrow();
    database.prepare("SELECT 1").get();
    expect(calls().at(-1)).toMatchObject({ text: "SELECT 1", errorType: undefined });
  });

  test("a call is below the span that is active, and knows where it is made", () => {
    const stop = takeAllSites();
    trace.getTracer("test").startActiveSpan("parent", (parent) => {
      database.prepare("SELECT 1 AS a").get();
      for (const row of database.prepare("SELECT 1 AS a").iterate()) expect(row).toEqual({ a: 1 });
      parent.end();
    });
    stop();
    const [one, two, parent] = collected.spans;
    expect(parent?.name).toBe("parent");
    for (const span of [one, two]) {
      expect(span?.parentSpanContext?.spanId).toBe(parent?.spanContext().spanId);
      expect(span?.attributes["code.file.path"]).toBe(import.meta.filename);
    }
  });

  test("a database is told apart by the name of its file", () => {
    const own = open(join(folder, `${isBetter ? "better" : "node"}.db`));
    own.exec("CREATE TABLE IF NOT EXISTS t (a)");
    own.prepare("SELECT a FROM t").all();
    own.close();
    const name = isBetter ? "better.db" : "node.db";
    expect(calls().map(({ template }) => template.namespace)).toEqual([name, name]);
    expect(() => own.exec("SELECT 1")).toThrow(/not open/);
  });

  test("methods look as they do alone", () => {
    for (const name of ["prepare", "exec"] as const) expect(database[name].name).toBe(name);
    const statement = database.prepare("SELECT 1");
    for (const name of ["run", "get", "all", "iterate"] as const) {
      expect([statement[name].name, statement[name].length]).toEqual([name, 0]);
    }
    expect(() => Reflect.apply(statement.get, {}, [])).toThrow(TypeError);
    expect(calls().filter(({ errorType }) => errorType === undefined)).toEqual([]);
  });
});

describe.each(libraries.filter(({ isBetter }) => isBetter))("$name by itself", ({ open }) => {
  test("transactions and pragmas are told as SQLite runs them, by its own account", () => {
    const ran: string[] = [];
    const database = open(":memory:", { verbose: (text: string) => void ran.push(text) }) as BetterDatabase;
    database.pragma("journal_mode = MEMORY");
    expect(database.pragma("user_version", { simple: true })).toBe(0);
    database.exec("CREATE TABLE t (a)");
    const insert = database.prepare("INSERT INTO t VALUES (?)");
    const add = database.transaction((values: number[]) => {
      for (const value of values) insert.run(value);
      return "added";
    });
    expect(add([1, 2])).toBe("added");
    const nested = database.transaction((values: number[]) => {
      add(values);
      throw new RangeError("no more");
    });
    expect(() => nested([3])).toThrow("no more");
    expect(database.prepare("SELECT count(*) AS n FROM t").get()).toEqual({ n: 2 });
    expect(calls().map(({ text }) => text?.replaceAll("?", "N"))).toEqual(
      ran.map((text) => text.replaceAll(/\b\d+\.0\b/g, "N")),
    );
    expect(calls().filter(({ template }) => template.operationName === "BEGIN")).toHaveLength(2);
    database.close();
  });
});

const { DatabaseSync } = createRequire(import.meta.url)("node:sqlite") as typeof import("node:sqlite");
const hasTagStore = "createTagStore" in DatabaseSync.prototype;

test.runIf(hasTagStore)("what a tag store runs is one operation with its values left out", () => {
  const database = new DatabaseSync(":memory:");
  const store = database.createTagStore();
  expect(store.get`SELECT ${"s3cret"} AS a`).toEqual({ a: "s3cret" });
  expect(store.all`SELECT ${1} AS a`).toEqual([{ a: 1 }]);
  expect([...store.iterate`SELECT ${1} AS a`]).toEqual([{ a: 1 }]);
  expect(store.run`CREATE TABLE t (a)`.changes).toBe(0);
  expect(calls().map(({ template }) => template.queryText)).toEqual([
    ...Array.from({ length: 3 }, () => "SELECT ? AS a"),
    "CREATE TABLE t (a)",
  ]);
  database.close();
});

test("nothing is heard once they are off, and all is as it was", () => {
  const databases = libraries.map(({ open }) => open(":memory:"));
  const statements = databases.map((database) => database.prepare("SELECT 1 AS a"));
  const patched = [...databases.map(({ exec }) => exec), ...statements.map(({ get }) => get)];
  for (const instrumentation of instrumentations) instrumentation.disable();
  const now = [...databases.map(({ exec }) => exec), ...statements.map(({ get }) => get)];
  for (const [at, method] of now.entries()) expect(method).not.toBe(patched[at]);
  for (const statement of statements) {
    expect(statement.get()).toEqual({ a: 1 });
    expect([...statement.iterate()]).toEqual([{ a: 1 }]);
  }
  expect(calls()).toEqual([]);
  for (const instrumentation of instrumentations) instrumentation.enable();
  for (const database of databases) database.prepare("SELECT 1 AS a").get();
  for (const database of databases) database.close();
  expect(calls()).toHaveLength(libraries.length);
});

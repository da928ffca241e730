import { once } from "node:events";
import { context, trace } from "@opentelemetry/api";
import { addListener, type DatabaseOperation, findConnection, readPools } from "@telltale/core";
import { type FakeSqlServer, startFakeSqlServer } from "@telltale/test/servers";
import { collect, type Collection } from "@telltale/testkit";
import type { Connection, Request } from "tedious";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { instrumentation, type MssqlPool, releases } from "./tedious.js";

let server: FakeSqlServer;
let collected: Collection;
beforeAll(async () => {
  server = await startFakeSqlServer();
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
const summaries = () => calls().map(({ template }) => template.querySummary);

describe.each(releases)("$name, against what is no SQL Server", ({ tedious, mssql }) => {
  let connection: Connection;
  const open = async (options: object = {}) => {
    const opened = new tedious.Connection({
      server: "127.0.0.1",
      authentication: { type: "default", options: { userName: "me", password: "s3cret" } },
      options: { port: server.port, database: "shop", encrypt: false, trustServerCertificate: true, ...options },
    });
    const connected = once(opened, "connect");
    opened.connect();
    await connected;
    return opened;
  };
  const run = (text: string, send: (request: Request) => void, values: Record<string, number> = {}) =>
    new Promise<unknown>((resolve, reject) => {
      const rows: unknown[] = [];
      const request = new tedious.Request(text, (error) => (error ? reject(error) : resolve(rows)));
      for (const name in values) request.addParameter(name, tedious.TYPES.Int, values[name]);
      request.on("row", (columns: { value: unknown }[]) => rows.push(columns.map(({ value }) => value)));
      send(request);
    });
  beforeAll(async () => {
    connection = await open();
  });
  afterAll(() => connection.close());

  test("each form gives what it gives alone, and is one operation", async () => {
    const text = "SELECT n FROM [things] WHERE id = @id AND word = 's3cret'";
    expect(await run(text, (request) => connection.execSql(request), { id: 1 })).toEqual([[7]]);
    expect(await run("SELECT n FROM things", (request) => connection.execSqlBatch(request))).toEqual([[7]]);
    await run("dbo.refresh", (request) => connection.callProcedure(request), { id: 1 });
    expect(summaries()).toEqual(["SELECT [things]", "SELECT things", "EXEC dbo.refresh"]);
    expect(calls()[0]?.template).toMatchObject({
      system: "microsoft.sql_server",
      namespace: "shop",
      serverAddress: "127.0.0.1",
      serverPort: server.port,
      queryText: "SELECT n FROM [things] WHERE id = @id AND word = ?",
    });
    expect(calls()[0]?.rows).toBe(1);
    expect(calls()).toHaveLength(server.received.length);
  });

  test("a prepared statement is told of where it runs, each time", async () => {
    const request = new tedious.Request("SELECT n FROM things WHERE id = @id", () => done?.());
    let done: (() => void) | undefined;
    request.addParameter("id", tedious.TYPES.Int, undefined);
    const prepared = once(request, "prepared");
    connection.prepare(request);
    await prepared;
    expect(calls()).toEqual([]);
    for (const id of [1, 2]) {
      const ran = new Promise<void>((resolve) => (done = resolve));
      connection.execute(request, { id });
      await ran;
    }
    expect(summaries()).toEqual(["SELECT things", "SELECT things"]);
    expect(calls().map(({ parameters }) => parameters)).toEqual([{ id: 1 }, { id: 2 }]);
  });

  test("a transaction is told as it is sent", async () => {
    const begin = (): Promise<void> => new Promise((resolve) => connection.beginTransaction(() => resolve()));
    await begin();
    await run("UPDATE things SET n = 1", (request) => connection.execSql(request));
    await new Promise<void>((resolve) => connection.commitTransaction(() => resolve()));
    await begin();
    await new Promise<void>((resolve) => connection.rollbackTransaction(() => resolve()));
    expect(calls().map(({ text, template }) => [text, template.effect])).toEqual([
      ["BEGIN TRANSACTION", "control"],
      ["UPDATE things SET n = 1", "write"],
      ["COMMIT TRANSACTION", "control"],
      ["BEGIN TRANSACTION", "control"],
      ["ROLLBACK TRANSACTION", "control"],
    ]);
  });

  test("a bulk load is one operation, its rows those that were loaded", async () => {
    const count = await new Promise((resolve, reject) => {
      const load = connection.newBulkLoad("things", (error, rows) => (error ? reject(error) : resolve(rows)));
      load.addColumn("n", tedious.TYPES.Int, { nullable: true });
      connection.execBulkLoad(load, [{ n: 1 }, { n: 2 }]);
    });
    expect(count).toBe(2);
    expect(server.received).toHaveLength(2);
    expect(calls().map(({ text, rows }) => [text, rows])).toEqual([["INSERT BULK things", 2]]);
    const refused = connection.newBulkLoad("things", () => {});
    let thrown: unknown;
    try {
      connection.execBulkLoad(refused, 7 as never);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(TypeError);
    const { name, code = name } = thrown as { name: string; code?: string };
    expect(calls().map(({ errorType }) => errorType)).toEqual([undefined, code]);
  });

  test("what a refused request's callback asks of another connection is a call of its own", async () => {
    const lost = await open();
    lost.close();
    const elsewhere = (id: number) =>
      run("SELECT n FROM b WHERE id = @id", (request) => connection.execSql(request), { id });
    await new Promise<void>((resolve) => {
      const prepared = new tedious.Request("SELECT n FROM a", () => void elsewhere(2).then(() => resolve()));
      lost.execute(prepared, { id: 1 });
    });
    await new Promise<void>((resolve) => {
      const load = lost.newBulkLoad("things", () => void elsewhere(3).then(() => resolve()));
      load.addColumn("n", tedious.TYPES.Int, { nullable: true });
      lost.execBulkLoad(load, [{ n: 1 }]);
    });
    expect(calls().map(({ template, parameters }) => [template.querySummary, parameters])).toEqual([
      ["SELECT a", { id: 1 }],
      ["SELECT b", [2]],
      ["INSERT BULK", undefined],
      ["SELECT b", [3]],
    ]);
  });

  test("a request that is sent again while it runs is refused, and goes on", async () => {
    const heard: unknown[] = [];
    await new Promise<void>((resolve) => {
      const request = new tedious.Request("SELECT 'doze' FROM a", (error, rows) => {
        heard.push((error as { code?: string } | undefined)?.code ?? rows);
        if (heard.length === 2) resolve();
      });
      const { callback } = request as unknown as { callback: unknown };
      connection.execSqlBatch(request);
      connection.execSqlBatch(request);
      request.once("requestCompleted", () => expect(request).toHaveProperty("callback", callback));
    });
    expect(heard).toEqual(["EINVALIDSTATE", 1]);
    expect(calls().map(({ rows, errorType }) => [rows, errorType])).toEqual([
      [undefined, "EINVALIDSTATE"],
      [1, undefined],
    ]);
  });

  test("a request that prepares again and again is listened to once", async () => {
    let ran: (() => void) | undefined;
    const request = new tedious.Request("sp_prepare", () => ran?.());
    request.addOutputParameter("handle", tedious.TYPES.Int);
    request.addParameter("stmt", tedious.TYPES.NVarChar, "SELECT n FROM things");
    for (let n = 0; n < 2; n++) {
      const over = new Promise<void>((resolve) => (ran = resolve));
      connection.callProcedure(request);
      await over;
    }
    expect(request.listenerCount("returnValue")).toBe(1);
    await run("sp_execute", (sent) => connection.callProcedure(sent), { handle: 9 });
    expect(summaries()).toEqual(["SELECT things"]);
  });

  test("what fails is told once, without values", async () => {
    const refused = run("INSERT INTO boom VALUES ('s3cret')", (request) => connection.execSql(request));
    await expect(refused).rejects.toMatchObject({ number: 2627, message: expect.stringContaining("(s3cret)") });
    const cancelled = run("SELECT 'wait'", (request) => {
      connection.execSql(request);
      setTimeout(() => connection.cancel(), 20);
    });
    await expect(cancelled).rejects.toMatchObject({ code: "ECANCEL" });
    for (const text of ["SELECT 'booms'", "EXEC raise"]) {
      await expect(run(text, (request) => connection.execSql(request))).rejects.toThrow();
    }
    const loading = new Promise((resolve) => {
      const load = connection.newBulkLoad("things", resolve);
      load.addColumn("n", tedious.TYPES.Int, { nullable: true });
      connection.execBulkLoad(load, failing());
    });
    expect(await loading).toMatchObject({ message: "no row s3cret" });
    function* failing(): Iterable<unknown[]> {
      yield [1];
      throw new Error("no row s3cret");
    }
    const lost = await open();
    const losing = run("SELECT 'wait'", (request) => lost.execSql(request));
    setTimeout(() => lost.close(), 20);
    await expect(losing).rejects.toMatchObject({ code: "ECLOSE" });
    await expect(run("SELECT 1", (request) => lost.execSql(request))).rejects.toMatchObject({ code: "EINVALIDSTATE" });
    expect(calls().map(({ errorType, statusCode }) => [errorType, statusCode])).toEqual([
      ["2627", "2627"],
      ["ECANCEL", undefined],
      ["2627", "2627"],
      ["50000", "50000"],
      ["Error", undefined],
      ["ECLOSE", undefined],
      ["EINVALIDSTATE", undefined],
    ]);
    const told = JSON.stringify(
      collected.spans.map(({ name, attributes, events, status }) => [name, attributes, events, status]),
    );
    expect(told).toContain("INSERT INTO boom");
    expect(told).not.toContain("s3cret");
  });

  test("a request is below its caller's span, and calls back in its caller's context", async () => {
    const tracer = trace.getTracer("test");
    const seen = await tracer.startActiveSpan("parent", async (parent) => {
      const caller = context.active();
      const found = await new Promise((resolve) => {
        const request = new tedious.Request("SELECT 1", () => resolve(context.active() === caller));
        connection.execSql(request);
      });
      parent.end();
      return found;
    });
    expect(seen).toBe(true);
    const [span, parent] = collected.spans;
    expect(span?.parentSpanContext?.spanId).toBe(parent?.spanContext().spanId);
  });

  test("a database is the one that the server says", async () => {
    const own = await open();
    await run("USE other", (request) => own.execSqlBatch(request));
    await run("SELECT 1", (request) => own.execSqlBatch(request));
    own.close();
    expect(calls().map(({ template }) => template.namespace)).toEqual(["shop", "other"]);
  });

  test("where quotes may be strings, a text with them is not shown", async () => {
    const own = await open({ enableQuotedIdentifier: false });
    await run('SELECT "s3cret"', (request) => own.execSqlBatch(request));
    await run("SELECT n FROM things", (request) => own.execSqlBatch(request));
    own.close();
    expect(calls().map(({ template }) => template.queryText)).toEqual(["SELECT", "SELECT n FROM things"]);
  });

  describe("mssql", () => {
    let pool: MssqlPool;
    beforeAll(async () => {
      pool = await new mssql.ConnectionPool({
        server: "127.0.0.1",
        port: server.port,
        user: "me",
        password: "s3cret",
        database: "shop",
        options: { encrypt: false },
        pool: { max: 1, acquireTimeoutMillis: 500 },
      }).connect();
    });
    afterAll(() => pool.close());
    const reading = () => readPools().find(({ pool: { system } }) => system === "microsoft.sql_server");

    test("a query is one operation, whichever way it is asked", async () => {
      expect((await pool.request().input("id", 1).query("SELECT n FROM things WHERE id = @id")).recordset).toEqual([
        { n: 7 },
      ]);
      const called = await new Promise((resolve, reject) =>
        pool.request().query("SELECT n FROM things", (error, result) => (error ? reject(error) : resolve(result))),
      );
      expect(called).toMatchObject({ recordset: [{ n: 7 }] });
      await pool.request().batch("SELECT n FROM things");
      await pool.request().execute("refresh");
      const statement = new mssql.PreparedStatement(pool);
      statement.input("id", mssql.Int);
      await statement.prepare("SELECT n FROM things WHERE id = @id");
      expect((await statement.execute({ id: 3 })).recordset).toEqual([{ n: 7 }]);
      await statement.unprepare();
      expect(summaries()).toEqual([
        ...Array.from({ length: 3 }, () => "SELECT things"),
        "EXEC refresh",
        "SELECT things",
      ]);
    });

    test("the wait for a connection is told apart, and counts as the pool does", async () => {
      await Promise.all([pool.query("SELECT 'doze' FROM a"), pool.query("SELECT 1 FROM b")]);
      const [first, second] = calls();
      expect(summaries()).toEqual(["SELECT a", "SELECT b"]);
      expect(second?.waitMs).toBeGreaterThan(Math.max(50, first?.waitMs ?? Infinity));
      expect(second?.template.poolName).toBe(reading()?.pool.name);
      expect(reading()?.pool.name).toMatch(`127.0.0.1:${server.port}/shop`);
      // tarn's own instrumentation then has nothing to add.
      const { free } = pool.pool as unknown as { free: { resource: object }[] };
      expect(free.map(({ resource }) => findConnection(resource)?.isPooled)).toEqual([true]);
      const transaction = pool.transaction();
      await transaction.begin();
      expect(reading()?.reading).toEqual({
        used: pool.pool.numUsed(),
        idle: pool.pool.numFree(),
        pending: 0,
        limit: 1,
        idleMin: 0,
      });
      expect(reading()?.reading.used).toBe(1);
      const impatient = pool.pool as unknown as { acquireTimeoutMillis: number };
      const { acquireTimeoutMillis } = impatient;
      impatient.acquireTimeoutMillis = 100;
      await expect(pool.query("SELECT 1")).rejects.toThrow(/Failed to acquire|timed out/);
      impatient.acquireTimeoutMillis = acquireTimeoutMillis;
      await transaction.request().query("SELECT 1 FROM c");
      await transaction.rollback();
      expect(summaries().slice(2)).toEqual(["BEGIN", "SELECT c", "ROLLBACK"]);
      expect(reading()?.reading).toMatchObject({ used: 0, idle: 1 });
    });

    test("queries of two callers on one connection have their own parents", async () => {
      const tracer = trace.getTracer("test");
      await Promise.all(
        ["one", "two"].map((name) =>
          tracer.startActiveSpan(name, async (parent) => {
            for (let n = 0; n < 3; n++) await pool.query(`SELECT 1 FROM ${name}`);
            parent.end();
          }),
        ),
      );
      for (const name of ["one", "two"]) {
        const parent = collected.spans.find((span) => span.name === name);
        const below = collected.spans.filter((span) => span.parentSpanContext?.spanId === parent?.spanContext().spanId);
        expect(below.map((span) => span.name)).toEqual(Array.from({ length: 3 }, () => `SELECT ${name}`));
      }
    });
  });

  test("what pools of other drivers inherit is left alone", () => {
    const methods = () => ["acquire", "_acquire"].map((name) => Reflect.get(Object.getPrototypeOf(pools), name));
    const { prototype: pools } = mssql.ConnectionPool;
    const heard = methods();
    instrumentation.disable();
    expect(methods()).toEqual(heard);
    instrumentation.enable();
  });

  test("a pool of another driver below mssql is none of its own", async () => {
    class OtherPool extends (Object.getPrototypeOf(mssql.ConnectionPool) as typeof mssql.ConnectionPool) {
      _poolCreate = () => Promise.resolve({});
      _poolValidate = () => true;
      _poolDestroy = () => Promise.resolve();
    }
    const other = await new OtherPool({ server: "127.0.0.1" }).connect();
    for (let n = 0; n < 4; n++) other.release(await other.acquire({}));
    expect(readPools().filter(({ pool: { name } }) => name === "127.0.0.1:1433/")).toEqual([]);
    await other.close();
    await run("SELECT 1", (request) => connection.execSql(request));
    expect(calls()).toHaveLength(1);
  });

  test("who holds a connection is known after it was off and on", async () => {
    const stop = addListener({ name: "test", poolWaited() {} });
    const config = { server: "127.0.0.1", port: server.port, user: "me", password: "s3cret", pool: { max: 2 } };
    const pool = await new mssql.ConnectionPool({ ...config, options: { encrypt: false } }).connect();
    const [before, after] = [pool.transaction(), pool.transaction()];
    await before.begin();
    instrumentation.disable();
    instrumentation.enable();
    await after.begin();
    await before.rollback();
    const loans = readPools().find(({ pool: { name } }) => name.endsWith("/"))?.pool.loans;
    expect(loans?.first?.template?.querySummary).toBe("BEGIN");
    await after.rollback();
    expect(loans?.first).toBeUndefined();
    await pool.close();
    stop();
  });

  test("nothing is heard once it is off", async () => {
    const config = { server: "127.0.0.1", port: server.port, user: "me", password: "s3cret" };
    const connect = () => new mssql.ConnectionPool({ ...config, options: { encrypt: false } }).connect();
    const pool = await connect();
    await pool.query("SELECT 1");
    const { makeRequest } = tedious.Connection.prototype as unknown as Record<string, unknown>;
    instrumentation.disable();
    expect((tedious.Connection.prototype as unknown as Record<string, unknown>)["makeRequest"]).not.toBe(makeRequest);
    expect((await pool.query("SELECT 1")).recordset).toEqual([{ n: 7 }]);
    instrumentation.enable();
    await pool.close();
    const later = await connect();
    await later.query("SELECT 1");
    await later.close();
    expect(calls()).toHaveLength(2);
    expect(readPools().filter(({ pool: { name } }) => name.endsWith("/"))).toEqual([]);
  });
});

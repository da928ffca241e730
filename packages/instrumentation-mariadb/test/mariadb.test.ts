import { setTimeout as pause } from "node:timers/promises";
import { context, createContextKey, SpanStatusCode, trace } from "@opentelemetry/api";
import {
  addListener,
  type DatabaseOperation,
  findConnection,
  readPools,
  registerPool,
  takeAllSites,
} from "@telltale/core";
import { describeWith } from "@telltale/test/describe-with";
import { type MariadbServer, startMariadb } from "@telltale/test/servers";
import { collect, type Collection, waitFor } from "@telltale/testkit";
import type { Connection, Pool } from "mariadb";
import type { Connection as CallbackConnection, Pool as CallbackPool } from "mariadb/callback";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { classesOf } from "../src/classes.js";
import { instrumentation, releases } from "./mariadb.js";

describeWith(["mariadb"], "mariadb", () => {
  let server: MariadbServer;
  let collected: Collection;
  beforeAll(async () => {
    server = await startMariadb();
    collected = collect();
  });
  afterEach(() => collected.reset());
  afterAll(async () => {
    collected.stop();
    await server.stop();
  });
  const calls = () => collected.operations as readonly DatabaseOperation[];
  const summaries = () => calls().map(({ template }) => template.querySummary);

  describe.each(releases)("$name", ({ driver, callback }) => {
    let pool: Pool;
    let connection: Connection;
    let callbackPool: CallbackPool;
    let callbackConnection: CallbackConnection;
    const options = () => {
      const { host, port, user, password, database } = server;
      return { host, port, user, password, database, connectionLimit: 2 };
    };
    const asked = (run: (done: (error: unknown, rows: unknown) => void) => void) =>
      new Promise<unknown>((resolve, reject) => run((error, rows) => (error ? reject(error) : resolve(rows))));
    beforeAll(async () => {
      pool = driver.createPool(options());
      connection = await driver.createConnection({ ...options(), multipleStatements: true });
      callbackPool = callback.createPool(options());
      callbackConnection = callback.createConnection(options());
      await connection.query("CREATE TABLE IF NOT EXISTS things (id int, name varchar(20))");
      await asked((done) => callbackPool.query("SELECT 1", done as never));
      await asked((done) => callbackConnection.query("SELECT 1", done as never));
      await pool.query("SELECT 1");
      // What the driver asks for itself while it opens a connection counts for the server.
      await waitFor(() => pool.idleConnections() + callbackPool.idleConnections() === 4, "all connections");
      collected.reset();
    });
    afterAll(async () => {
      await connection.end();
      await pool.end();
      await asked((done) => callbackConnection.end(done as never));
      await asked((done) => callbackPool.end(done as never));
    });

    const READ = "SELECT seq FROM seq_1_to_3 WHERE seq > ?";
    type Run = () => Promise<unknown>;
    const rowsOf = async (stream: AsyncIterable<unknown>): Promise<unknown[]> => {
      const rows: unknown[] = [];
      for await (const row of stream) rows.push(row);
      return rows;
    };
    const forms: [string, Run][] = [
      ["query", () => connection.query(READ, [0])],
      ["query with options", () => connection.query({ sql: READ, rowsAsArray: true }, [0])],
      [
        "query with named placeholders",
        () => connection.query({ sql: READ.replace("?", ":least"), namedPlaceholders: true }, { least: 0 }),
      ],
      ["execute", () => connection.execute(READ, [0])],
      ["the same again, prepared", () => connection.execute(READ, [0])],
      ["query of a pool", () => pool.query(READ, [0])],
      ["execute of a pool", () => pool.execute(READ, [0])],
      ["a stream", () => rowsOf(connection.queryStream(READ, [0]))],
      [
        "a prepared statement",
        async () => {
          const statement = await connection.prepare(READ);
          const rows = await statement.execute([0]);
          statement.close();
          return rows;
        },
      ],
      [
        "a connection of a pool",
        async () => {
          const own = await pool.getConnection();
          const rows = await own.query(READ, [0]);
          await own.release();
          return rows;
        },
      ],
      [
        "a connection of a cluster",
        async () => {
          const cluster = driver.createPoolCluster();
          cluster.add("one", options());
          const own = await cluster.getConnection("one");
          const rows = await own.query(READ, [0]);
          await own.release();
          await cluster.end();
          return rows;
        },
      ],
      [
        "query of a cluster's part",
        async () => {
          const cluster = driver.createPoolCluster();
          cluster.add("one", options());
          const rows = await cluster.of("one").query(READ, [0]);
          await cluster.end();
          return rows;
        },
      ],
      ["query with a callback", () => asked((done) => callbackConnection.query(READ, [0], done as never))],
      ["execute with a callback", () => asked((done) => callbackConnection.execute(READ, [0], done as never))],
      ["query of a pool with a callback", () => asked((done) => callbackPool.query(READ, [0], done as never))],
      [
        "rows told one by one",
        () =>
          new Promise((resolve, reject) => {
            const rows: unknown[] = [];
            // Its types know no call without a callback.
            const command = Reflect.apply(callbackConnection.query, callbackConnection, [
              READ,
              [0],
            ] as never) as unknown as NodeJS.EventEmitter;
            command
              .on("data", (row) => rows.push(row))
              .on("end", () => resolve(rows))
              .on("error", reject);
          }),
      ],
      [
        "asked before the connection is open",
        async () => {
          const early = callback.createConnection(options());
          const rows = await asked((done) => early.query(READ, [0], done as never));
          await asked((done) => early.end(done as never));
          return rows;
        },
      ],
    ];
    test.each(forms)("%s is one operation with its rows, below the caller's span", async (_, run) => {
      await trace.getTracer("test").startActiveSpan("caller", async (span) => {
        expect(await run()).toHaveLength(3);
        span.end();
      });
      expect(summaries()).toEqual(["SELECT seq_1_to_3"]);
      expect(collected.started).toHaveLength(1);
      expect(calls()[0]).toMatchObject({ rows: 3, errorType: undefined });
      expect(calls()[0]?.template).toMatchObject({
        system: "mariadb",
        namespace: server.database,
        operationName: "SELECT",
        effect: "read",
        serverAddress: server.host,
        serverPort: server.port,
      });
      const caller = collected.spans.find(({ name }) => name === "caller");
      const query = collected.spans.find(({ name }) => name !== "caller");
      expect(query?.parentSpanContext?.spanId).toBe(caller?.spanContext().spanId);
    });

    test("a batch in one message is one operation, else each statement is one", async () => {
      const insert = "INSERT INTO things VALUES (?, ?)";
      const values = [
        [1, "s3cret"],
        [2, "b"],
        [3, "c"],
      ];
      await connection.batch(insert, values);
      expect(calls().map(({ rows, batchSize }) => [rows, batchSize])).toEqual([[3, 3]]);
      collected.reset();
      const single = await driver.createConnection({ ...options(), bulk: false });
      await trace.getTracer("test").startActiveSpan("caller", async (span) => {
        await single.batch(insert, values);
        span.end();
      });
      await single.end();
      expect(calls().map(({ rows }) => rows)).toEqual([1, 1, 1]);
      const caller = collected.spans.find(({ name }) => name === "caller")?.spanContext().spanId;
      expect(collected.spans.map(({ parentSpanContext }) => parentSpanContext?.spanId)).toEqual([
        caller,
        caller,
        caller,
        undefined,
      ]);
      collected.reset();
      await pool.batch(insert, values);
      expect(calls().map(({ batchSize, template }) => [batchSize, template.poolName !== undefined])).toEqual([
        [3, true],
      ]);
      expect(JSON.stringify(collected.spans.map(({ attributes }) => attributes))).not.toContain("s3cret");
    });

    test("transactions, several statements, lists, and the database that a connection is in", async () => {
      await connection.beginTransaction();
      await connection.query("UPDATE things SET name = 'x' WHERE id IN (?)", [[1, 2]]);
      await connection.commit();
      await connection.query("SELECT 1; SELECT 2; DO 0");
      await connection.query("USE mysql");
      await connection.query("SELECT 1");
      await connection.query(`USE ${server.database}`);
      expect(calls().map(({ template }) => template.operationName)).toEqual([
        "START",
        "UPDATE",
        "COMMIT",
        "SELECT",
        "USE",
        "SELECT",
        "USE",
      ]);
      expect(calls()[1]?.template.batch).toBe(true);
      expect(calls()[3]?.rows).toBe(2);
      expect(calls()[5]?.template.namespace).toBe("mysql");
    });

    test("an error fails its call once, and is the driver's own", async () => {
      const failing: Run[] = [
        () => connection.query("SELECT * FROM nowhere WHERE name = 's3cret'"),
        () => connection.execute("SELECT * FROM nowhere WHERE name = ?", ["s3cret"]),
        () => pool.query("SELECT * FROM nowhere"),
        () => pool.execute("SELECT * FROM nowhere"),
        () => connection.batch("INSERT INTO nowhere VALUES (?)", [["s3cret"]]),
        () => rowsOf(connection.queryStream("SELECT * FROM nowhere")),
        () => asked((done) => callbackConnection.query("SELECT * FROM nowhere", done as never)),
      ];
      for (const run of failing) {
        await expect(run()).rejects.toMatchObject({ code: "ER_NO_SUCH_TABLE", errno: 1146 });
        expect(calls()).toHaveLength(1);
        expect(collected.started).toHaveLength(1);
        expect(calls()[0]).toMatchObject({ errorType: "ER_NO_SUCH_TABLE", statusCode: "1146" });
        expect(collected.spans.map(({ status }) => status.code)).toEqual([SpanStatusCode.ERROR]);
        expect(
          JSON.stringify(collected.spans.map(({ attributes, events, status }) => [attributes, events, status])),
        ).not.toContain("s3cret");
        collected.reset();
      }
      await expect(connection.query("SELECT ?", [])).rejects.toMatchObject({ code: "ER_MISSING_PARAMETER" });
      expect(calls()[0]?.errorType).toBe("ER_MISSING_PARAMETER");
      const lost = await driver.createConnection(options());
      lost.on("error", () => {});
      collected.reset();
      const running = lost.query("SELECT SLEEP(10)");
      void running.catch(() => {});
      await connection.query(`KILL ${lost.threadId}`);
      await expect(running).rejects.toMatchObject({ fatal: true });
      await waitFor(() => calls().length === 2, "both ends");
      expect(calls().filter(({ errorType }) => errorType === undefined)).toHaveLength(1);
      await expect(lost.query("SELECT 1")).rejects.toMatchObject({ code: "ER_CMD_CONNECTION_CLOSED" });
      expect(calls()[2]?.errorType).toBe("ER_CMD_CONNECTION_CLOSED");
    });

    test("the site is where the call is made, and callbacks run in the context of their caller", async () => {
      const stop = takeAllSites();
      await (async function direct() {
        await connection.query("SELECT 1");
      })();
      await (async function prepared() {
        await connection.execute("SELECT 2");
      })();
      await (async function pooled() {
        await pool.query("SELECT 3");
      })();
      stop();
      await expect.poll(() => calls().map(({ site }) => site?.function)).toEqual(["direct", "prepared", "pooled"]);
      for (const { site } of calls()) expect(site?.file).toBe(import.meta.filename);

      const key = createContextKey("caller");
      const seen: unknown[] = [];
      const as = (name: string, run: (done: (...args: unknown[]) => void) => void) =>
        new Promise<void>((resolve) =>
          context.with(context.active().setValue(key, name), () =>
            run(() => {
              seen.push(context.active().getValue(key));
              resolve();
            }),
          ),
        );
      await Promise.all([
        as("query", (done) => callbackConnection.query("SELECT 1", done)),
        as("error", (done) => callbackConnection.query("SELECT nope", done)),
        as("execute", (done) => callbackConnection.execute("SELECT 1", done)),
        ...[1, 2, 3, 4].map((n) => as(`pool ${n}`, (done) => callbackPool.query(`SELECT ${n}`, done))),
        as("connection", (done) =>
          callbackPool.getConnection((_, own) => {
            own?.release(() => {});
            done();
          }),
        ),
        as("data", (done) => void (connection.queryStream("SELECT 1") as NodeJS.EventEmitter).once("data", done)),
      ]);
      expect(seen.toSorted()).toEqual(
        ["query", "error", "execute", "pool 1", "pool 2", "pool 3", "pool 4", "connection", "data"].toSorted(),
      );
    });

    test("every query counts, and the server counts the same", async () => {
      const status = async (name: string) => {
        const rows = (await connection.query(`SHOW GLOBAL STATUS LIKE '${name}'`)) as { Value: string }[];
        return Number(rows[0]?.Value);
      };
      // Connections that were closed before still say so.
      let before = 0;
      await expect.poll(async () => -before + (before = await status("Questions"))).toBe(1);
      collected.reset();
      await Promise.all(Array.from({ length: 20 }, (_, n) => pool.query("SELECT ?", [n])));
      for (let n = 0; n < 10; n++) await connection.execute("SELECT ?", [n]);
      await Promise.all(Array.from({ length: 10 }, (_, n) => pool.execute("SELECT ? + 1", [n])));
      await connection.batch("INSERT INTO things VALUES (?, ?)", [
        [7, "x"],
        [8, "y"],
      ]);
      await expect(connection.query("SELECT nope")).rejects.toThrow();
      await asked((done) => callbackPool.query("SELECT 1", done as never));
      const own = await pool.getConnection();
      await own.beginTransaction();
      await own.query("DELETE FROM things");
      // The driver rolls back what is released without an end.
      await own.release();
      const told = calls().length;
      expect(told).toBe(20 + 10 + 10 + 1 + 1 + 1 + 3);
      expect((await status("Questions")) - before - 1).toBe(told);
      const mine = readPools().filter(({ pool: { system } }) => system === "mariadb");
      const pooled = mine.reduce((sum, { reading }) => sum + reading.used + reading.idle, 0);
      // And two that are in no pool.
      expect(await status("Threads_connected")).toBe(pooled + 2);
    });

    test("the pool: who has connections, who waits, and for how long", async () => {
      const timings: [string, number][] = [];
      const waits: number[] = [];
      let timedOut = 0;
      const stop = addListener({
        name: "test",
        poolTimed: (_, what, ms) => void timings.push([what, ms]),
        poolWaited: (_, waiter, nowMs) => void waits.push(nowMs - waiter.askedMs),
        poolTimedOut: () => void timedOut++,
      });
      const own = driver.createPool({ ...options(), minimumIdle: 2, acquireTimeout: 300, database: "mysql" });
      await own.query("SELECT 1");
      const reading = () =>
        readPools().find(({ pool: { name } }) => name === `127.0.0.1:${server.port}/mysql`)?.reading;
      await expect.poll(reading).toEqual({ used: 0, idle: 2, pending: 0, limit: 2, idleMin: 2 });
      collected.reset();
      timings.length = 0;
      const [first, second] = await Promise.all([own.getConnection(), own.getConnection()]);
      expect(reading()).toMatchObject({ used: 2, idle: 0, pending: 0 });
      const waiting = own.query("SELECT 'late'");
      await pause(60);
      expect(reading()).toMatchObject({ used: 2, pending: 1 });
      await first.release();
      await waiting;
      expect(waits).toHaveLength(1);
      expect(waits[0]).toBeGreaterThan(40);
      expect(calls()[0]?.waitMs).toBeGreaterThan(40);
      const third = await own.getConnection();
      await expect(own.query("SELECT 'too late'")).rejects.toMatchObject({ code: "ER_GET_CONNECTION_TIMEOUT" });
      expect(timedOut).toBe(1);
      expect(calls().at(-1)).toMatchObject({ errorType: "ER_GET_CONNECTION_TIMEOUT" });
      expect(calls().at(-1)?.waitMs).toBeGreaterThan(200);
      await Promise.all([second.release(), third.release()]);
      expect(reading()).toMatchObject({ used: 0, pending: 0 });
      const counts = (what: string) => timings.filter(([kind]) => kind === what).length;
      expect([counts("wait"), counts("use")]).toEqual([4, 4]);
      await own.end();
      expect(reading()).toBeUndefined();
      stop();
    });

    test("a pool that can no longer tell how many wait lends its connections all the same", async () => {
      const { prototype } = classesOf(driver).pool.constructor as { prototype: { taskQueueSize(): number } };
      const { taskQueueSize } = prototype;
      prototype.taskQueueSize = () => {
        throw new Error("no longer there");
      };
      try {
        expect(await pool.query(READ, [1])).toHaveLength(2);
      } finally {
        prototype.taskQueueSize = taskQueueSize;
      }
      expect(summaries()).toEqual(["SELECT seq_1_to_3"]);
    });

    test("a pool of another library is told where its connections lead; the driver's own pool has them to itself", async () => {
      const early = callback.createConnection(options());
      const own = await pool.getConnection();
      const seen = [connection, callbackConnection, early, own].map((resource) => findConnection(resource));
      const place = { serverAddress: server.host, serverPort: server.port, namespace: server.database };
      expect(seen).toMatchObject(
        [false, false, false, true].map((isPooled) => ({ place: { system: "mariadb", ...place }, isPooled })),
      );
      await own.release();
      await asked((done) => early.end(done as never));
      let asks = 0;
      class Alike {
        get info() {
          return (asks += 1);
        }
      }
      expect([new Alike(), { info: connection.info }, Object.create(null)].map(findConnection)).toEqual(
        Array.from({ length: 3 }),
      );
      expect(asks).toBe(0);

      const reporter = registerPool({ name: "theirs", system: "mariadb", read: () => undefined });
      const stop = addListener({ name: "test", poolWaited: () => {} });
      const loan = reporter.addConnection();
      const lent = await driver.createConnection(options());
      findConnection(lent)?.lend(reporter, loan);
      reporter.taken(loan, context.active(), 1);
      collected.reset();
      await lent.query("SELECT 'lent'");
      expect(calls().map(({ template }) => template.poolName)).toEqual(["theirs"]);
      expect(loan.runningTemplate()).toBe(calls()[0]?.template);
      expect(findConnection(lent)?.isPooled).toBe(false);
      await lent.end();
      reporter.close();
      stop();
    });

    test("disabled, the driver is itself again", async () => {
      instrumentation.disable();
      await pool.query("SELECT 1");
      expect(summaries()).toEqual([]);
      instrumentation.enable();
      await pool.query("SELECT 1");
      expect(summaries()).toEqual(["SELECT"]);
    });
  });
});

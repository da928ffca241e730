import { context, createContextKey, SpanStatusCode, trace } from "@opentelemetry/api";
import type { DatabaseOperation } from "@telltale/core";
import { describeWith } from "@telltale/test/describe-with";
import { type MariadbServer, startMariadb } from "@telltale/test/servers";
import { collect, type Collection, waitFor } from "@telltale/testkit";
import type { Connection, Pool } from "mysql2";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { instrumentation, releases } from "./mysql2.js";

describeWith(["mariadb"], "mysql2", () => {
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

  describe.each(releases)("$name", ({ driver, promise }) => {
    let pool: Pool;
    let connection: Connection;
    const options = () => {
      const { host, port, user, password, database } = server;
      return { host, port, user, password, database };
    };
    const connect = async (more: object = {}) => {
      const opened = driver.createConnection({ ...options(), ...more });
      await opened.promise().connect();
      return opened;
    };
    const end = (closing: { end(callback: () => void): void }) => new Promise<void>((resolve) => closing.end(resolve));
    const asked = (run: (callback: (error: unknown, rows: unknown) => void) => void) =>
      new Promise<unknown>((resolve, reject) => run((error, rows) => (error ? reject(error) : resolve(rows))));
    beforeAll(async () => {
      pool = driver.createPool({ ...options(), connectionLimit: 2 });
      connection = await connect({ multipleStatements: true });
      await asked((done) => connection.query("CREATE TABLE IF NOT EXISTS things (id int, name varchar(20))", done));
      collected.reset();
    });
    afterAll(async () => {
      await end(connection);
      await end(pool);
    });

    const READ = "SELECT seq FROM seq_1_to_3 WHERE seq > ?";
    type Run = () => Promise<unknown>;
    const forms: [string, Run][] = [
      ["query with a callback", () => asked((done) => connection.query(READ, [0], done))],
      ["query with options", () => asked((done) => connection.query({ sql: READ, values: [0] }, done))],
      ["query with options, values apart", () => asked((done) => connection.query({ sql: READ }, [0], done))],
      ["execute with a callback", () => asked((done) => connection.execute(READ, [0], done))],
      ["execute with options", () => asked((done) => connection.execute({ sql: READ, values: [0] }, done))],
      ["query of a pool", () => asked((done) => pool.query(READ, [0], done))],
      ["execute of a pool", () => asked((done) => pool.execute(READ, [0], done))],
      ["rows as arrays", () => asked((done) => pool.query({ sql: READ, values: [0], rowsAsArray: true }, done))],
      [
        "a prepared statement",
        async () => {
          // Of a connection of its own: one that is closed stays in the driver's cache.
          const own = await connect();
          const statement = await own.promise().prepare(READ);
          const [rows] = await statement.execute([0]);
          await statement.close();
          await end(own);
          return rows;
        },
      ],
      ["query by promise", async () => (await connection.promise().query(READ, [0]))[0]],
      ["execute by promise", async () => (await connection.promise().execute(READ, [0]))[0]],
      ["query of a pool by promise", async () => (await pool.promise().query(READ, [0]))[0]],
      ["execute of a pool by promise", async () => (await pool.promise().execute(READ, [0]))[0]],
      [
        "a connection of the promise module",
        async () => {
          const own = await promise.createConnection(options());
          const [rows] = await own.execute(READ, [0]);
          await own.end();
          return rows;
        },
      ],
      [
        "a connection of a pool by promise",
        async () => {
          const own = await pool.promise().getConnection();
          const [rows] = await own.query(READ, [0]);
          own.release();
          return rows;
        },
      ],
      [
        "named placeholders",
        () =>
          asked((done) =>
            pool.query(
              { sql: READ.replace("?", ":least"), namedPlaceholders: true, values: { least: 0 } } as never,
              done,
            ),
          ),
      ],
      [
        "a cluster",
        async () => {
          const cluster = driver.createPoolCluster();
          cluster.add("one", options());
          const rows = await asked((done) => cluster.of("*").query(READ, [0], done));
          await end(cluster);
          return rows;
        },
      ],
      [
        "execute of a cluster",
        async () => {
          const cluster = driver.createPoolCluster();
          cluster.add("one", options());
          const rows = await asked((done) => cluster.of("*").execute(READ, [0], done));
          await end(cluster);
          return rows;
        },
      ],
      [
        "a connection of a cluster",
        async () => {
          const cluster = driver.createPoolCluster();
          cluster.add("one", options());
          const rows = await new Promise((resolve, reject) => {
            cluster.getConnection((error, own) => {
              if (error) return reject(error);
              own.query(READ, [0], (failure, result) => {
                own.release();
                if (failure) reject(failure);
                else resolve(result);
              });
            });
          });
          await end(cluster);
          return rows;
        },
      ],
    ];
    test.each(forms)("%s is one operation with its rows, below the caller's span", async (_, run) => {
      await trace.getTracer("test").startActiveSpan("caller", async (span) => {
        expect(await run()).toHaveLength(3);
        span.end();
      });
      expect(calls()).toHaveLength(1);
      expect(calls()[0]).toMatchObject({ rows: 3, errorType: undefined, parameters: [0] });
      expect(calls()[0]?.template).toMatchObject({
        system: "mariadb",
        namespace: server.database,
        operationName: "SELECT",
        collection: "seq_1_to_3",
        queryText: READ,
        effect: "read",
        serverAddress: "127.0.0.1",
        serverPort: server.port,
      });
      const caller = collected.spans.find(({ name }) => name === "caller");
      const query = collected.spans.find(({ name }) => name === "SELECT seq_1_to_3");
      expect(collected.spans).toHaveLength(2);
      expect(query?.parentSpanContext?.spanId).toBe(caller?.spanContext().spanId);
    });

    const key = createContextKey("caller");
    const inCaller = <T>(run: () => T): T => context.with(context.active().setValue(key, "me"), run);
    const caller = () => context.active().getValue(key);

    test.each(["query", "execute"] as const)(
      "a stream of %s counts its rows; its listeners run in the caller's context",
      async (method) => {
        for (const source of [connection, pool] as Connection[]) {
          // A pool's execute has no stream: it returns nothing.
          if (source !== connection && method === "execute") continue;
          const seen = new Set<unknown>();
          let rows = 0;
          await inCaller(
            () =>
              new Promise<void>((resolve) => {
                source[method]("SELECT seq FROM seq_1_to_250")
                  .on("result", () => void (seen.add(caller()), rows++))
                  .on("fields", () => seen.add(caller()))
                  .on("end", () => void (seen.add(caller()), resolve()));
              }),
          );
          expect([rows, ...seen]).toEqual([250, "me"]);
          expect(calls().map(({ rows, errorType }) => [rows, errorType])).toEqual([[250, undefined]]);
          collected.reset();
        }
        const stream = connection[method]("SELECT seq FROM seq_1_to_250").stream();
        let read = 0;
        // The end comes twice, as an error too, to who iterates over a stream of the oldest release.
        await new Promise((resolve) => stream.on("data", () => read++).on("end", resolve));
        expect([read, calls()[0]?.rows]).toEqual([250, 250]);
      },
    );

    test("callbacks run in the caller's context, also where its queries wait for those of others", async () => {
      const seen: unknown[] = [];
      await Promise.all([
        asked((done) => connection.query("SELECT SLEEP(0.05)", done)),
        ...[connection, pool].map((source) =>
          inCaller(() =>
            asked((done) =>
              source.query("SELECT 1", (error: unknown, rows: unknown) => {
                seen.push(caller());
                done(error, rows);
              }),
            ),
          ),
        ),
        inCaller(() =>
          connection
            .promise()
            .execute("SELECT nope")
            .catch(() => seen.push(caller())),
        ),
        inCaller(
          () =>
            new Promise<void>((resolve) => {
              connection.execute("SELECT nope", () => resolve(void seen.push(caller())));
            }),
        ),
      ]);
      expect(seen).toEqual(["me", "me", "me", "me"]);
    });

    test("several statements are one operation with the rows of all", async () => {
      await asked((done) =>
        connection.query("SELECT 1; SELECT seq FROM seq_1_to_2; INSERT INTO things VALUES (1, 'a')", done),
      );
      expect(calls().map(({ rows }) => rows)).toEqual([4]);
      await expect(asked((done) => connection.query("SELECT 1; SELECT nope", done))).rejects.toMatchObject({
        errno: 1054,
      });
      expect(calls()[1]).toMatchObject({ errorType: "ER_BAD_FIELD_ERROR" });
    });

    test("rows changed are those the server says", async () => {
      const insert = (rows: unknown) =>
        asked((done) => connection.query("INSERT INTO things (id, name) VALUES ?", [rows], done));
      await asked((done) => connection.query("DELETE FROM things", done));
      collected.reset();
      await insert([
        [1, "a"],
        [2, "b"],
        [3, "c"],
      ]);
      await asked((done) => connection.execute("UPDATE things SET name = ? WHERE id > ?", ["x", 1], done));
      expect(calls().map(({ rows }) => rows)).toEqual([3, 2]);
    });

    test("a transaction: every statement, and what begins and ends it as control", async () => {
      const own = await pool.promise().getConnection();
      await own.beginTransaction();
      await own.query("INSERT INTO things VALUES (7, 'b')");
      await own.rollback();
      await own.beginTransaction();
      await own.commit();
      own.release();
      expect(calls().map(({ template }) => [template.querySummary, template.effect])).toEqual([
        ["START", "control"],
        ["INSERT things", "write"],
        ["ROLLBACK", "control"],
        ["START", "control"],
        ["COMMIT", "control"],
      ]);
    });

    test("no value reaches a text, a summary or a message: queries with values in them, and errors that quote them", async () => {
      const secrets = ["s3cret-o'hara", 's3cret "quoted" `name`', "s3cret\\' -- not a comment"];
      for (const secret of secrets) {
        await asked((done) =>
          connection.query("SELECT id FROM things WHERE name = ? OR name IN (?) ", [secret, [secret, secret]], done),
        );
        await asked((done) => connection.query(`SELECT id FROM things WHERE name = ${driver.escape(secret)}`, done));
        await asked((done) => connection.query("INSERT INTO things SET ?", { id: 1, name: secret.slice(0, 20) }, done));
        await asked((done) => connection.execute("SELECT ? + id FROM things", [secret], done));
        await asked((done) => connection.query("SELEC ?", [secret], done)).catch(() => {});
        await asked((done) => connection.query("SELECT ? FROM nowhere", [secret], done)).catch(() => {});
        await asked((done) =>
          connection.query(
            "SIGNAL SQLSTATE '45000' SET MYSQL_ERRNO = 1062, MESSAGE_TEXT = ?",
            [`Duplicate entry '${secret}' for key 'name'`],
            done,
          ),
        ).catch(() => {});
      }
      const told = JSON.stringify([
        calls().map(({ template, errorType, statusCode }) => [template, errorType, statusCode]),
        collected.spans.map(({ name, attributes, status, events }) => [name, attributes, status, events]),
      ]);
      expect(calls()).toHaveLength(21);
      expect(told).not.toMatch(/s3cret|hara|quoted|comment/);
      expect(told).toContain("Duplicate entry …");
      expect(new Set(summaries()).size).toBe(5);
    });

    test("queries that differ in values share one template, with placeholders and without", async () => {
      await asked((done) => connection.query("SELECT name FROM things WHERE id = ?", [1], done));
      await asked((done) => connection.query("SELECT name FROM things WHERE id = ?", [2], done));
      await asked((done) => connection.query("SELECT name FROM things WHERE id = 3", done));
      await asked((done) => connection.execute("SELECT name FROM things WHERE id = ?", [4], done));
      expect(new Set(calls().map(({ template }) => template)).size).toBe(1);
      // What tells them apart.
      expect(new Set(calls().map(({ text, parameters }) => JSON.stringify([text, parameters]))).size).toBe(4);
    });

    test("values that change the shape are seen as what is sent: lists, names, rows", async () => {
      await asked((done) => connection.query("SELECT name FROM things WHERE id IN (?)", [[1, 2, 3]], done));
      await asked((done) => connection.query("SELECT ?? FROM ?? WHERE id > ?", ["id", "things", 1], done));
      expect(calls().map(({ template }) => [template.querySummary, template.queryText, template.batch])).toEqual([
        ["SELECT things", "SELECT name FROM things WHERE id IN (?)", true],
        ["SELECT `things`", "SELECT `id` FROM `things` WHERE id > ?", false],
      ]);
    });

    test("an error is the app's own, recorded once, with the server's number", async () => {
      const failing = [
        () => asked((done) => connection.query("SELECT * FROM nowhere", done)),
        () => asked((done) => pool.execute("SELECT * FROM nowhere", done)),
        () => pool.promise().query("SELECT * FROM nowhere"),
        () => connection.promise().execute("SELECT * FROM nowhere"),
      ];
      for (const fail of failing) {
        await expect(fail()).rejects.toMatchObject({ code: "ER_NO_SUCH_TABLE", errno: 1146, sqlState: "42S02" });
      }
      expect(calls().map(({ errorType, statusCode }) => [errorType, statusCode])).toEqual(
        failing.map(() => ["ER_NO_SUCH_TABLE", "1146"]),
      );
      expect(collected.spans.map(({ status }) => status.code)).toEqual(failing.map(() => SpanStatusCode.ERROR));
    });

    test("an error of a query without a callback is emitted, and recorded", async () => {
      const seen = await inCaller(
        () =>
          new Promise<unknown[]>((resolve) => {
            connection.query("SELECT nope").once("error", (error: { code: string }) => resolve([error.code, caller()]));
          }),
      );
      expect(seen).toEqual(["ER_BAD_FIELD_ERROR", "me"]);
      expect(calls().map(({ errorType }) => errorType)).toEqual(["ER_BAD_FIELD_ERROR"]);
    });

    test("values that cannot be bound are refused by the driver, and are failed calls", async () => {
      const unbindable = [undefined] as never;
      expect(() => connection.execute(READ, unbindable)).toThrow("must not contain undefined");
      await expect(asked((done) => pool.execute(READ, unbindable, done))).rejects.toThrow("must not contain undefined");
      await expect(pool.promise().execute(READ, unbindable)).rejects.toThrow("must not contain undefined");
      expect(calls().map(({ errorType, template }) => [errorType, template.querySummary])).toEqual(
        Array.from({ length: 3 }, () => ["TypeError", "SELECT seq_1_to_3"]),
      );
      // The pool's connections are all there again.
      await Promise.all([pool.promise().query("DO 1"), pool.promise().query("DO 1"), pool.promise().query("DO 1")]);
    });

    test("what waits for a connection to open has waited; what never gets one has failed", async () => {
      const own = driver.createConnection(options());
      await asked((done) => own.query("SELECT 1", done));
      expect(calls()[0]?.template.system).toBe("mariadb");
      expect(calls()[0]?.waitMs).toBeGreaterThan(0);
      await end(own);
      collected.reset();
      const nowhere = driver.createConnection({ ...options(), port: 1 });
      await expect(asked((done) => nowhere.query("SELECT 1", done))).rejects.toMatchObject({ code: "ECONNREFUSED" });
      const none = driver.createPool({ ...options(), port: 1 });
      await expect(asked((done) => none.query("SELECT 2", done))).rejects.toMatchObject({ code: "ECONNREFUSED" });
      await expect(none.promise().execute("SELECT 3")).rejects.toMatchObject({ code: "ECONNREFUSED" });
      await end(none);
      const cluster = driver.createPoolCluster({ canRetry: false });
      cluster.add("gone", { ...options(), port: 1 });
      await expect(asked((done) => cluster.of("*").query("SELECT 4", done))).rejects.toMatchObject({
        code: "ECONNREFUSED",
      });
      await end(cluster);
      expect(calls().map(({ errorType }) => errorType)).toEqual(Array.from({ length: 4 }, () => "ECONNREFUSED"));
    });

    test("a cluster tries its other pools: one operation", async () => {
      const cluster = driver.createPoolCluster({ removeNodeErrorCount: 1, defaultSelector: "ORDER" });
      cluster.add("a", { ...options(), port: 1 });
      cluster.add("b", options());
      expect(await asked((done) => cluster.of("*").query(READ, [0], done))).toHaveLength(3);
      expect(calls().map(({ errorType, template }) => [errorType, template.serverPort])).toEqual([
        [undefined, server.port],
      ]);
      await end(cluster);
    });

    test("a lost connection fails what runs and what waits; a closed one takes nothing", async () => {
      const own = await connect();
      own.on("error", () => {});
      const lost = ["SELECT SLEEP(10)", "SELECT 1"].map((text) => asked((done) => own.query(text, done)));
      const settled = Promise.allSettled(lost);
      await expect
        .poll(() =>
          asked((done) =>
            connection.query("SELECT 1 FROM information_schema.processlist WHERE info LIKE 'SELECT SLEEP(10)%'", done),
          ),
        )
        .toHaveLength(1);
      await asked((done) => connection.query(`KILL ${own.threadId}`, done));
      expect((await settled).map(({ status }) => status)).toEqual(["rejected", "rejected"]);
      await expect(asked((done) => own.query("SELECT 2", done))).rejects.toThrow("closed state");
      const failed = calls().filter(({ errorType }) => errorType !== undefined);
      expect(failed.map(({ template }) => template.queryText).sort()).toEqual([
        "SELECT ?",
        "SELECT ?",
        "SELECT SLEEP(?)",
      ]);
    });

    test("a query that takes too long for its caller fails once, also when its answer comes later", async () => {
      const own = await connect();
      const slow = { sql: "SELECT SLEEP(0.2)", timeout: 50 };
      await expect(asked((done) => own.query(slow, done))).rejects.toMatchObject({ code: "PROTOCOL_SEQUENCE_TIMEOUT" });
      await asked((done) => own.query("SELECT 1", done));
      await asked((done) => own.query({ sql: "SELECT 1", timeout: 5_000 }, done));
      expect(calls().map(({ errorType }) => errorType)).toEqual(["PROTOCOL_SEQUENCE_TIMEOUT", undefined, undefined]);
      await end(own);
    });

    test("the database is the one that the connection is in", async () => {
      await asked((done) => connection.query("CREATE DATABASE IF NOT EXISTS second", done));
      const own = await connect();
      const namespaces = async (change: () => Promise<unknown>) => {
        await change();
        collected.reset();
        await asked((done) => own.query("SELECT 1", done));
        return calls()[0]?.template.namespace;
      };
      expect([
        await namespaces(async () => {}),
        await namespaces(() => asked((done) => own.query("USE `second`", done))),
        await namespaces(() => asked((done) => own.query("USE nowhere", done)).catch(() => {})),
        await namespaces(() => asked((done) => own.changeUser({ database: server.database }, done as never))),
      ]).toEqual([server.database, "second", "second", server.database]);
      const answer = (await asked((done) => own.query("SELECT DATABASE() AS d", done))) as { d: string }[];
      expect(answer[0]?.d).toBe(server.database);
      await end(own);
    });

    test("what is no query is none: ping, prepare, reset of a user", async () => {
      const own = await connect();
      await own.promise().ping();
      await (await own.promise().prepare("SELECT 1")).close();
      await own.promise().changeUser({});
      expect(calls()).toHaveLength(0);
      await end(own);
    });

    test("queries of one connection run one after the other: each from its call to its end", async () => {
      await Promise.all([1, 2, 3].map(() => asked((done) => connection.query("SELECT SLEEP(0.05)", done))));
      const [first, second, third] = calls().map(({ startMs, endMs }) => endMs - startMs);
      expect(first).toBeGreaterThan(45);
      expect(second).toBeGreaterThan((first ?? 0) + 40);
      expect(third).toBeGreaterThan((second ?? 0) + 40);
      expect(calls().map(({ waitMs }) => waitMs)).toEqual([0, 0, 0]);
    });

    test("a pool of one, shared by two requests: each query below its own, the wait on the one that waited", async () => {
      const single = driver.createPool({ ...options(), connectionLimit: 1 });
      await single.promise().query("SELECT 1");
      collected.reset();
      const contexts: (string | undefined)[] = [];
      const inRequest = (name: string, text: string): Promise<void> =>
        trace.getTracer("test").startActiveSpan(
          name,
          (span) =>
            new Promise<void>((resolve) => {
              single.query(text, () => {
                contexts.push(trace.getSpan(context.active()) === span ? name : undefined);
                span.end();
                resolve();
              });
            }),
        );
      await Promise.all([inRequest("first", "SELECT SLEEP(0.1)"), inRequest("second", "SELECT 2")]);
      expect(contexts).toEqual(["first", "second"]);
      const [slow, quick] = calls();
      const parentOf = (call: DatabaseOperation | undefined) =>
        collected.spans.find((span) => span.spanContext().spanId === call?.span?.spanContext().spanId)
          ?.parentSpanContext?.spanId;
      const idOf = (name: string) => collected.spans.find((span) => span.name === name)?.spanContext().spanId;
      expect([parentOf(slow), parentOf(quick)]).toEqual([idOf("first"), idOf("second")]);
      expect(slow?.waitMs).toBeLessThan(50);
      expect(quick?.waitMs).toBeGreaterThan(80);
      await end(single);
    });

    test("every query counts, and the server counts the same", async () => {
      const status = async (name: string) => {
        const rows = await asked((done) => connection.query(`SHOW GLOBAL STATUS LIKE '${name}'`, done));
        return Number((rows as { Value: string }[])[0]?.Value);
      };
      // Connections that were closed before still say so.
      let before = 0;
      await expect.poll(async () => -before + (before = await status("Questions"))).toBe(1);
      collected.reset();
      for (let n = 0; n < 10; n++) await asked((done) => pool.query("SELECT ?", [n], done));
      for (let n = 0; n < 10; n++) await pool.promise().query(`SELECT ${n}`);
      for (const text of ["SELECT nope", "SELEC"]) await asked((done) => pool.query(text, done)).catch(() => {});
      const inTransaction = await pool.promise().getConnection();
      await inTransaction.beginTransaction();
      await inTransaction.commit();
      inTransaction.release();
      await waitFor(() => calls().length === 24, "all operations");
      // Its own question counts.
      expect((await status("Questions")) - before - 1).toBe(24);

      const executed = await status("Com_stmt_execute");
      collected.reset();
      await Promise.all(
        Array.from({ length: 30 }, (_, n) => pool.promise().execute("SELECT seq FROM seq_1_to_5 WHERE seq = ?", [n])),
      );
      expect(calls()).toHaveLength(30);
      expect(await status("Com_stmt_execute")).toBe(executed + 30);
    });

    test("disabled, the driver is itself again", async () => {
      const prototypes = [connection, pool] as unknown as Record<string, unknown>[];
      const names = ["query", "execute", "addCommand", "getConnection", "releaseConnection"];
      const methods = () => prototypes.flatMap((prototype) => names.map((name) => prototype[name]));
      const ours = methods();
      instrumentation.disable();
      await pool.promise().query("SELECT 1");
      expect(summaries()).toEqual([]);
      expect(methods().filter((method, at) => method !== undefined && method === ours[at])).toEqual([]);
      instrumentation.enable();
      await pool.promise().query("SELECT 1");
      expect(summaries()).toEqual(["SELECT"]);
    });
  });
});

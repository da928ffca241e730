import { setTimeout as pause } from "node:timers/promises";
import { context, createContextKey } from "@opentelemetry/api";
import { addListener, findConnection, readPools, registerPool } from "@telltale/core";
import { describeWith } from "@telltale/test/describe-with";
import { freePort, type MariadbServer, startMariadb } from "@telltale/test/servers";
import { collect, type Collection } from "@telltale/testkit";
import type { Connection, Pool, PoolConnection } from "mysql2";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createServer } from "node:net";
import { instrumentation, releases } from "./mysql2.js";

describeWith(["mariadb"], "pools", () => {
  let server: MariadbServer;
  let admin: Connection;
  let collected: Collection;
  beforeAll(async () => {
    server = await startMariadb();
    const { host, port, user, password } = server;
    admin = releases[1]?.driver.createConnection({ host, port, user, password }) as Connection;
    collected = collect();
  });
  afterAll(async () => {
    collected.stop();
    await admin.promise().end();
    await server.stop();
  });

  const connections = async (database: string): Promise<number[]> => {
    const [rows] = await admin
      .promise()
      .query("SELECT id FROM information_schema.processlist WHERE db = ? ORDER BY id", [database]);
    return (rows as { id: number }[]).map(({ id }) => id);
  };

  /** The queues of a pool, which the driver keeps to itself. */
  interface Inside {
    readonly _allConnections: { readonly length: number };
    readonly _freeConnections: { readonly length: number };
    readonly _connectionQueue: { readonly length: number };
  }

  describe.each(releases)("$name", ({ driver }) => {
    const create = async (connectionLimit: number, database: string, more: object = {}): Promise<Pool> => {
      await admin.promise().query(`CREATE DATABASE IF NOT EXISTS ${database}`);
      const { host, port, user, password } = server;
      return driver.createPool({ host, port, user, password, connectionLimit, database, ...more });
    };
    const take = (pool: Pool) =>
      new Promise<PoolConnection>((resolve, reject) =>
        pool.getConnection((error, connection) => (error ? reject(error) : resolve(connection))),
      );
    const poolOf = (database: string) => {
      const name = `127.0.0.1:${server.port}/${database}`;
      return readPools().find(({ pool }) => pool.name === name)?.pool;
    };
    const hear = () => {
      const timings = new Map<string, number[]>();
      const timedOut: string[] = [];
      const stop = addListener({
        name: "test",
        // Makes pools note their loans.
        poolWaited: () => {},
        poolTimed: (pool, what, ms) => {
          const key = `${pool.name} ${what}`;
          timings.set(key, [...(timings.get(key) ?? []), ms]);
        },
        poolTimedOut: (pool) => void timedOut.push(pool.name),
      });
      return { timings, timedOut, stop };
    };

    test("a method that is called without its pool throws what it throws alone", async () => {
      const pool = await create(1, "mysql");
      const { getConnection } = pool;
      const thrown = (): unknown => {
        try {
          return Reflect.apply(pool.getConnection, undefined, [() => {}]);
        } catch (error) {
          return String(error);
        }
      };
      const watched = thrown();
      instrumentation.disable();
      expect(pool.getConnection).not.toBe(getConnection);
      expect(watched).toBe(thrown());
      instrumentation.enable();
      pool.end();
    });

    test("two overfilled pools: the readings are the pools' and the server's own at every moment", async () => {
      const { timings, stop } = hear();
      const pools = [
        { pool: await create(3, "first"), database: "first", max: 3 },
        { pool: await create(5, "second"), database: "second", max: 5 },
      ].map(({ pool, database, max }) => ({ pool, database, max, name: `127.0.0.1:${server.port}/${database}` }));
      for (const { pool } of pools) await pool.promise().query("SELECT 1");

      let samples = 0;
      const compare = (): void => {
        samples++;
        const readings = new Map(readPools().map(({ pool, reading }) => [pool.name, reading]));
        for (const { pool, max, name } of pools) {
          const inside = pool as unknown as Inside;
          expect(readings.get(name)).toEqual({
            used: inside._allConnections.length - inside._freeConnections.length,
            idle: inside._freeConnections.length,
            pending: inside._connectionQueue.length,
            limit: max,
          });
        }
      };
      const sampling = new AbortController();
      const sampler = (async () => {
        while (!sampling.signal.aborted) {
          compare();
          await pause(2);
        }
      })();

      // 50 waiters each beyond the connections, of which some lose their connection in the middle.
      const outcomes = pools.map(({ pool, max }) =>
        Promise.allSettled(
          Array.from({ length: max + 50 }, (_, n) => pool.promise().query("SELECT SLEEP(?)", [n < max ? 0.3 : 0.02])),
        ),
      );
      await pause(20);
      for (const { pool } of pools) expect((pool as unknown as Inside)._connectionQueue.length).toBe(50);
      compare();
      for (const { database } of pools) expect(poolOf(database)?.waiters.first).toBeDefined();
      await pause(150);
      for (const database of ["first", "second"]) {
        for (const id of await connections(database)) await admin.promise().query(`KILL ${id}`);
      }
      const settled = await Promise.all(outcomes);
      sampling.abort();
      await sampler;
      compare();
      expect(samples).toBeGreaterThan(50);
      for (const [n, { max, name, database }] of pools.entries()) {
        const failed = (settled[n] ?? []).filter(({ status }) => status === "rejected");
        expect(failed.length).toBe(max);
        const entry = readPools().find(({ pool }) => pool.name === name);
        expect(entry?.reading).toMatchObject({ used: 0, pending: 0 });
        expect(entry?.pool).toMatchObject({ system: "mariadb" });
        expect([entry?.pool.loans.first, entry?.pool.waiters.first]).toEqual([undefined, undefined]);
        expect(await connections(database)).toHaveLength(entry?.reading.idle ?? -1);
        // Every checkout was timed once: all of the crowd, and the one by hand.
        expect(timings.get(`${name} wait`)).toHaveLength(max + 50 + 1);
        expect(timings.get(`${name} use`)).toHaveLength(max + 50 + 1);
        expect(Math.max(...(timings.get(`${name} wait`) ?? []))).toBeGreaterThan(150);
        // Those that were killed were opened anew.
        expect(timings.get(`${name} create`)).toHaveLength(2 * max);
      }
      await Promise.all(pools.map(({ pool }) => pool.promise().end()));
      expect(readPools()).toEqual([]);
      for (const { database } of pools) await expect.poll(() => connections(database)).toEqual([]);
      stop();
    });

    test("a connection that is handed on runs in the context of who waited, not of who has released it", async () => {
      const { stop } = hear();
      const key = createContextKey("caller");
      const pool = await create(1, "handed");
      const seen: unknown[] = [];
      const caller = () => context.active().getValue(key);
      const inCaller = <T>(name: string, run: () => T): T => context.with(context.active().setValue(key, name), run);
      const held = await take(pool);
      const entry = poolOf("handed");
      const waits = ["first", "second"].map((name) =>
        inCaller(
          name,
          () =>
            new Promise<void>((resolve, reject) => {
              pool.getConnection((error, connection) => {
                seen.push(caller());
                if (error) return reject(error);
                connection.query("SELECT 1", () => {
                  seen.push(caller());
                  expect(entry?.loans.first).toBeDefined();
                  connection.release();
                  resolve();
                });
              });
            }),
        ),
      );
      inCaller("releaser", () => held.release());
      await Promise.all(waits);
      expect(seen).toEqual(["first", "first", "second", "second"]);
      await pool.promise().end();
      stop();
    });

    test("who holds a connection is known from taking to giving back, also where it is destroyed", async () => {
      const { stop } = hear();
      const pool = await create(2, "held");
      const one = await take(pool);
      const two = await take(pool);
      const entry = poolOf("held");
      const loans = () => {
        let count = 0;
        for (let loan = entry?.loans.first; loan !== undefined; loan = loan.after) count++;
        return count;
      };
      expect([entry?.tellsLoans, loans()]).toEqual([true, 2]);
      one.release();
      expect(loans()).toBe(1);
      two.destroy();
      expect(loans()).toBe(0);
      await pool.promise().query("SELECT GET_LOCK('mine', 1)");
      const holding = await take(pool);
      await holding.promise().query("SELECT GET_LOCK('mine', 1)");
      expect(entry?.loans.first).toMatchObject({ keepsSession: true });
      await holding.promise().query("SELECT RELEASE_LOCK('mine')");
      expect(entry?.loans.first).toMatchObject({ keepsSession: false });
      expect(entry?.loans.first?.template?.querySummary).toBe("SELECT");
      holding.release();
      await pool.promise().end();
      stop();
    });

    test("a connection that cannot be had: refused, in time out, the queue full", async () => {
      const { timedOut, timings, stop } = hear();
      const refused = await create(1, "refused", { port: await freePort() });
      await expect(take(refused)).rejects.toMatchObject({ code: "ECONNREFUSED" });
      // It says nothing.
      const silent = createServer(() => {}).listen(0, "127.0.0.1");
      await new Promise((resolve) => silent.once("listening", resolve));
      const { port } = silent.address() as { port: number };
      const late = await create(1, "late", { port, connectTimeout: 100 });
      await expect(take(late)).rejects.toMatchObject({ code: "ETIMEDOUT" });
      const full = await create(1, "full", { queueLimit: 1 });
      const held = await take(full);
      const waits = take(full);
      await expect(take(full)).rejects.toThrow("Queue limit reached");
      held.release();
      (await waits).release();
      expect(timedOut).toEqual([`127.0.0.1:${port}/late`]);
      expect([...timings.keys()].filter((key) => key.endsWith("wait"))).toEqual([`127.0.0.1:${server.port}/full wait`]);
      await Promise.all([refused, late, full].map((pool) => pool.promise().end()));
      silent.close();
      stop();
    });

    test("a cluster's pools are pools; a connection's first statements belong to its pool", async () => {
      const cluster = driver.createPoolCluster();
      const { host, port, user, password } = server;
      await admin.promise().query("CREATE DATABASE IF NOT EXISTS clustered");
      for (const name of ["one", "two"])
        cluster.add(name, { host, port, user, password, database: "clustered", connectionLimit: 1 });
      const ask = () =>
        new Promise((resolve, reject) => {
          cluster.of("*").query("SELECT 1", (error, rows) => (error ? reject(error) : resolve(rows)));
        });
      await Promise.all([ask(), ask(), ask(), ask()]);
      const names = [1, 2].map((n) => `127.0.0.1:${port}/clustered${n === 1 ? "" : "#2"}`);
      expect(readPools().map(({ pool, reading }) => [pool.name, reading])).toEqual(
        names.map((name) => [name, { used: 0, idle: 1, pending: 0, limit: 1 }]),
      );
      await new Promise((resolve) => cluster.end(resolve));
      expect(readPools()).toEqual([]);

      const pool = await create(1, "opened");
      pool.on("connection", (connection) => connection.query("SET time_zone = '+00:00'"));
      collected.reset();
      await pool.promise().query("SELECT 1");
      expect(
        collected.operations.map((operation) => operation.kind === "database" && operation.template.poolName),
      ).toEqual([`127.0.0.1:${port}/opened`, `127.0.0.1:${port}/opened`]);
      await pool.promise().end();
    });

    test("a connection that a pool of another library lends: where it leads, and what runs on its account", async () => {
      const { stop } = hear();
      const { host, port, user, password, database } = server;
      const connection = driver.createConnection({ host, port, user, password, database });
      await connection.promise().query("SELECT 1");
      const place = {
        system: "mariadb",
        namespace: database,
        serverAddress: host,
        serverPort: port,
        poolName: undefined,
      };
      expect([connection, connection.promise()].map((one) => findConnection(one)?.place)).toEqual([place, place]);
      const found = findConnection(connection);
      expect(found?.isPooled).toBe(false);
      const reporter = registerPool({
        name: "other",
        system: "mariadb",
        read: () => ({ used: 1, idle: 0, pending: 0 }),
      });
      const loan = reporter.addConnection();
      found?.lend(reporter, loan);
      reporter.taken(loan, context.active(), performance.now());
      await connection.promise().query("SELECT GET_LOCK('lent', 1)");
      expect(loan).toMatchObject({ keepsSession: true, isUnseen: false, template: { poolName: "other" } });
      reporter.returned(loan);
      reporter.close();
      await connection.promise().end();

      const pool = await create(1, "pooled");
      const own = await take(pool);
      expect([own, own.promise()].map((one) => findConnection(one)?.isPooled)).toEqual([true, true]);
      expect(findConnection(pool)).toBeUndefined();
      own.release();
      await pool.promise().end();
      stop();
    });

    test("disabled, pools leave the gauges; enabled again, they come back once", async () => {
      const pool = await create(2, "off");
      await pool.promise().query("SELECT 1");
      expect(readPools()).toHaveLength(1);
      instrumentation.disable();
      expect(readPools()).toEqual([]);
      instrumentation.enable();
      await Promise.all([pool.promise().query("SELECT 1"), pool.promise().query("SELECT 1")]);
      expect(readPools()).toHaveLength(1);
      await pool.promise().end();
      expect(readPools()).toEqual([]);
    });
  });
});

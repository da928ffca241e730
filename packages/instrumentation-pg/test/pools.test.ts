import { setTimeout as pause } from "node:timers/promises";
import { context } from "@opentelemetry/api";
import { addListener, findConnection, readPools, registerPool } from "@telltale/core";
import { describeWith } from "@telltale/test/describe-with";
import { type PostgresServer, startPostgres } from "@telltale/test/servers";
import { afterAll, beforeAll, expect, test } from "vitest";
import { pg } from "./pg.js";

describeWith(["postgres"], "pools", () => {
  let server: PostgresServer;
  let admin: import("pg").Client;
  beforeAll(async () => {
    server = await startPostgres();
    admin = new pg.Client(server.url);
    await admin.connect();
  });
  afterAll(async () => {
    await admin.end();
    await server.stop();
  });

  const backends = async (name: string): Promise<number> => {
    const { rows } = await admin.query<{ n: string }>(
      "SELECT count(*) AS n FROM pg_stat_activity WHERE application_name = $1",
      [name],
    );
    return Number(rows[0]?.n);
  };

  test(
    "two overfilled pools: the readings are the pools' and the server's own at every moment",
    { timeout: 60_000 },
    async () => {
      const timings = new Map<string, number[]>();
      const timedOut = new Map<string, number>();
      const stop = addListener({
        name: "test",
        poolTimed: (pool, what, ms) => {
          const key = `${pool.name} ${what}`;
          timings.set(key, [...(timings.get(key) ?? []), ms]);
        },
        poolTimedOut: (pool) => void timedOut.set(pool.name, (timedOut.get(pool.name) ?? 0) + 1),
      });
      const name = `127.0.0.1:${server.port}/${server.database}`;
      const create = (max: number, application_name: string) => {
        const pool = new pg.Pool({
          connectionString: server.url,
          max,
          application_name,
          // A busy machine takes half a second to open some connections: what times out here must have waited for others.
          connectionTimeoutMillis: 1_500,
          idleTimeoutMillis: 0,
        });
        pool.on("error", () => {});
        return pool;
      };
      const pools = [
        { pool: create(3, "first"), application: "first", max: 3, name },
        { pool: create(5, "second"), application: "second", max: 5, name: `${name}#2` },
      ];
      for (const { pool } of pools) await pool.query("SELECT 1");

      let samples = 0;
      const sampling = new AbortController();
      const compare = (): void => {
        samples++;
        const readings = new Map(readPools().map(({ pool, reading }) => [pool.name, reading]));
        for (const { pool, max, name } of pools) {
          const reading = readings.get(name);
          expect(reading).toEqual({
            used: pool.totalCount - pool.idleCount,
            idle: pool.idleCount,
            pending: pool.waitingCount,
            limit: max,
            idleMin: 0,
          });
          for (const value of Object.values(reading ?? {})) expect(value).toBeGreaterThanOrEqual(0);
        }
      };
      const sampler = (async () => {
        while (!sampling.signal.aborted) {
          compare();
          await pause(2);
        }
      })();

      // 50 waiters each beyond the connections, of which some time out, and some lose their backend in the middle.
      const outcomes = pools.map(({ pool, max }) =>
        Promise.allSettled(
          Array.from({ length: max + 50 }, (_, n) => pool.query("SELECT pg_sleep($1)", [n < max ? 0.3 : 0.2])),
        ),
      );
      await pause(20);
      for (const { pool } of pools) expect(pool.waitingCount).toBe(50);
      compare();
      await pause(250);
      await admin.query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name IN ('first', 'second')",
      );
      const settled = await Promise.all(outcomes);
      sampling.abort();
      await sampler;
      compare();
      expect(samples).toBeGreaterThan(50);

      for (const [n, { pool, application, max, name }] of pools.entries()) {
        const failed = (settled[n] ?? []).filter((outcome) => outcome.status === "rejected");
        const late = failed.filter(({ reason }) => /timeout exceeded/.test(String(reason)));
        const killed = failed.filter(({ reason }) => (reason as { code?: string }).code === "57P01");
        expect(late.length).toBeGreaterThan(0);
        expect(killed.length).toBeGreaterThan(0);
        expect(timedOut.get(name)).toBe(late.length);
        // Quiet soon, when the last connection has come for somebody who is gone: all are idle, and the server counts the same.
        await pool.query("SELECT 1");
        await expect.poll(() => pool.totalCount - pool.idleCount).toBe(0);
        const reading = readPools().find((entry) => entry.pool.name === name)?.reading;
        expect(reading).toMatchObject({ used: 0, pending: 0 });
        expect(await backends(application)).toBe(reading?.idle);
        // Every checkout was timed: all that did not time out, and the two by hand.
        const checkouts = max + 50 - late.length + 2;
        expect(timings.get(`${name} wait`)).toHaveLength(checkouts);
        expect(timings.get(`${name} use`)).toHaveLength(checkouts);
        expect(Math.max(...(timings.get(`${name} wait`) ?? []))).toBeGreaterThan(200);
        expect(timings.get(`${name} create`)?.length).toBeGreaterThanOrEqual(max);
      }
      await Promise.all(pools.map(({ pool }) => pool.end()));
      expect(readPools()).toEqual([]);
      for (const { application } of pools) await expect.poll(() => backends(application)).toBe(0);
      stop();
    },
  );

  test("a connection that comes too late for its caller, or that grows too old, was used by nobody", async () => {
    const timings: string[] = [];
    const stop = addListener({ name: "timings", poolTimed: (_, what) => void timings.push(what) });
    let delayMs = 0;
    const pool = new pg.Pool({
      host: server.host,
      port: server.port,
      user: server.user,
      database: server.database,
      max: 1,
      connectionTimeoutMillis: 400,
      maxLifetimeSeconds: 1,
      password: () => pause(delayMs).then(() => server.password),
    });
    const first = await pool.connect();
    const late = pool.connect();
    delayMs = 300;
    await pause(250);
    // The next connection opens for the one who waits, but not in time.
    first.release(true);
    await expect(late).rejects.toThrow("timeout exceeded");
    await expect.poll(() => pool.idleCount).toBe(1);
    await expect.poll(() => pool.totalCount, { timeout: 2_000 }).toBe(0);
    stop();
    expect(timings.filter((what) => what !== "create")).toEqual(["wait", "use"]);
    await pool.end();
  });

  test("connect: by promise and by callback, in the order asked; a refused connection is the app's error", async () => {
    const pool = new pg.Pool({ connectionString: server.url, max: 1 });
    const client = await pool.connect();
    const order: string[] = [];
    const second = pool.connect().then((own) => {
      order.push("promise");
      own.release();
    });
    const third = new Promise<void>((resolve) => {
      pool.connect((error, own, release) => {
        order.push(error === undefined && own !== undefined ? "callback" : "error");
        release();
        resolve();
      });
    });
    client.release();
    await Promise.all([second, third]);
    expect(order).toEqual(["promise", "callback"]);
    await pool.end();
    await expect(pool.connect()).rejects.toThrow("after calling end");
    const nowhere = new pg.Pool({ host: "127.0.0.1", port: 1, connectionTimeoutMillis: 1_000 });
    await expect(nowhere.connect()).rejects.toMatchObject({ code: "ECONNREFUSED" });
    await expect(nowhere.query("SELECT 1")).rejects.toMatchObject({ code: "ECONNREFUSED" });
    await nowhere.end();
  });

  test("a client that a pool of another library lends: where it leads, and what runs on its account; not one of pg's own pool", async () => {
    const stop = addListener({ name: "test", poolWaited: () => {} });
    const client = new pg.Client({ connectionString: server.url });
    await client.connect();
    // As when it is made: before it is lent.
    await client.query("SELECT 1");
    const found = findConnection(client);
    expect([found?.isPooled, found?.place]).toEqual([
      false,
      {
        system: "postgresql",
        namespace: server.database,
        serverAddress: "127.0.0.1",
        serverPort: server.port,
        poolName: undefined,
      },
    ]);
    const reporter = registerPool({
      name: "other",
      system: "postgresql",
      read: () => ({ used: 1, idle: 0, pending: 0 }),
    });
    const loan = reporter.addConnection();
    found?.lend(reporter, loan);
    reporter.taken(loan, context.active(), performance.now());
    await client.query("SELECT pg_advisory_lock(7)");
    expect(loan).toMatchObject({ keepsSession: true, isUnseen: false, template: { poolName: "other" } });
    reporter.returned(loan);
    reporter.close();
    await client.end();

    const pool = new pg.Pool({ connectionString: server.url, max: 1 });
    const own = await pool.connect();
    expect(findConnection(own)?.isPooled).toBe(true);
    expect(findConnection(pool)).toBeUndefined();
    own.release();
    await pool.end();
    stop();
  });
});

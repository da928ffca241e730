import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { type AddressInfo, createServer } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { context } from "@opentelemetry/api";
import { activeRequest, type Finding, suppress } from "@telltale/core";
import { createInsights } from "@telltale/insights";
import { pgInstrumentation } from "@telltale/instrumentation-pg";
import { collect, type Collection, waitFor } from "@telltale/testkit";
import type { PoolClient, PoolConfig } from "pg";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { describeWith } from "../describe-with.js";
import { collectGarbage } from "../memory.js";
import { serve } from "../requests.js";
import { type PostgresServer, startPostgres } from "../servers/index.js";
import { createHolds, runStarvation } from "./holder-works.js";
import { createRandom } from "./random.js";
import { score } from "./scoreboard.js";

const instrumentation = pgInstrumentation();
instrumentation.enable();
const require = createRequire(import.meta.url);
const pg = require("pg") as typeof import("pg");
const QueryStream = require("pg-query-stream") as new (
  text: string,
  values: unknown[],
  config: { batchSize: number; highWaterMark: number },
) => import("pg").Submittable & AsyncIterable<unknown>;

const WAIT_MS = 40;
const IDLE_MS = 400;
const AFTER_REQUEST_MS = 200;
/** Where holders alone are to be found: a machine that takes the processor away looks like a blocked event loop. */
const UNWATCHED = { blockMs: 0 };

const sleepFor = (seconds: number): string => `pg_sleep(${seconds})`;
const HOLDS = createHolds(sleepFor);

describeWith(["postgres"], "pool holders", () => {
  let server: PostgresServer;
  let collected: Collection;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(async () => {
    instrumentation.disable();
    await server.stop();
  });
  afterEach(() => collected.stop());

  const open = (config: PoolConfig): import("pg").Pool => {
    const pool = new pg.Pool({ connectionString: server.url, ...config });
    pool.on("error", () => {});
    return pool;
  };
  const found = (kind: Finding["kind"]): Finding[] => collected.findings.filter((finding) => finding.kind === kind);

  // The first of all, as only a small share of all calls gives its site.
  test("the second finding says where the holder's query is sent", async () => {
    collected = collect([createInsights({ pools: { waitMs: WAIT_MS } })]);
    const pool = open({ max: 1 });
    const report = (): Promise<unknown> => pool.query("SELECT pg_sleep(0.12) AS held"); // held
    await pool.query("SELECT 1");
    for (const route of ["/daily", "/weekly"]) {
      await Promise.all([serve(route, report), serve("/victim", () => pool.query("SELECT 1"))]);
    }
    await pool.end();
    const line =
      readFileSync(import.meta.filename, "utf8")
        .split("\n")
        .findIndex((text) => text.endsWith("// held")) + 1;
    const [first, second] = found("pool_starved").map(({ callSite }) => callSite);
    expect(first).toBeUndefined();
    expect(second).toMatchObject({ file: import.meta.filename, line });
  });

  test("the holder is named right in 100 of 100 random starvation runs", { timeout: 60_000 }, async () => {
    collected = collect([createInsights({ pools: { waitMs: WAIT_MS }, eventLoop: UNWATCHED })]);
    const { holders, named, none, wrong } = await runStarvation({
      open: (max) => open({ max }),
      sleep: sleepFor,
      collected,
      waitMs: WAIT_MS,
      runs: 100,
      brief: 20,
    });
    expect(score("pool_starved", holders, named, none)).toMatchObject({ found: 100, precision: 1, recall: 1 });
    expect(wrong).toEqual([]);
  });

  test("time-outs are the holder's, also where it has just given its connection to another one", async () => {
    collected = collect([createInsights({ pools: { waitMs: 0 }, eventLoop: UNWATCHED })]);
    const random = createRandom(7);
    const gaveUp: string[] = [];
    const run = async (n: number): Promise<void> => {
      const max = random.between(1, 3);
      const isPassedOn = n % 2 === 0;
      const pool = open({ max, connectionTimeoutMillis: 200 });
      await Promise.all(Array.from({ length: max }, () => pool.query("SELECT 1")));
      const ms = isPassedOn ? 150 : 260;
      const holders = Array.from({ length: max }, () =>
        serve(`/export/${n}`, async () => {
          const client = await pool.connect();
          await HOLDS[random.pick(["busy", "idle"] as const)](client, ms);
          client.release();
        }),
      );
      await pause(5);
      const next = Array.from({ length: isPassedOn ? max : 0 }, () =>
        serve(`/next/${n}`, () => pool.query("SELECT pg_sleep(0.15)")),
      );
      const victims = await Promise.allSettled(
        Array.from({ length: 4 }, () => serve(`/victim/${n}`, () => pool.query("SELECT 1"))),
      );
      if (victims.every(({ status }) => status === "rejected")) gaveUp.push(`GET /export/${n}`);
      await Promise.all([...holders, ...next]);
      await pool.end();
    };
    for (let n = 0; n < 40; n += 5) await Promise.all(Array.from({ length: 5 }, (_, i) => run(n + i)));
    const timeouts = found("pool_timeout");
    expect(gaveUp).toHaveLength(40);
    const blamed = timeouts.map(({ endpoint }) => String(endpoint));
    expect(score("pool_timeout", gaveUp, blamed)).toMatchObject({ found: 40, precision: 1, recall: 1 });
    for (const { route, evidence, waitMs } of timeouts) {
      expect(evidence?.["victim"]).toBe(`GET /victim/${route?.split("/").at(-1)}`);
      expect(waitMs).toBeGreaterThan(195);
    }
  });

  test("who waits while the first connections are opened waits for nobody", async () => {
    collected = collect([createInsights({ pools: { waitMs: WAIT_MS } })]);
    const { host, port, user, database } = server;
    const pool = open({
      connectionString: undefined,
      host,
      port,
      user,
      database,
      max: 2,
      password: () => pause(150).then(() => server.password),
    });
    await Promise.all(Array.from({ length: 8 }, () => serve("/cold", () => pool.query("SELECT 1"))));
    await pool.end();
    const waits = collected.operations.map((operation) => (operation.kind === "database" ? operation.waitMs : 0));
    expect(waits.filter((ms) => ms > 150)).toHaveLength(8);
    expect([...found("pool_starved"), ...found("pool_timeout")]).toEqual([]);
  });

  test("a server that does not answer is nobody's fault in the app", async () => {
    collected = collect([createInsights()]);
    const mute = createServer(() => {}).listen(0, "127.0.0.1");
    await once(mute, "listening");
    const { port } = mute.address() as AddressInfo;
    const pool = new pg.Pool({ host: "127.0.0.1", port, user: "nobody", max: 2, connectionTimeoutMillis: 100 });
    await expect(serve("/mute", () => pool.query("SELECT 1"))).rejects.toThrow("timeout");
    mute.close();
    expect(found("pool_timeout")).toMatchObject([{ reason: "opening", endpoint: undefined, count: 1 }]);
  });

  test("where this process was busy, no holder is to blame", async () => {
    collected = collect([createInsights({ pools: { waitMs: WAIT_MS } })]);
    const block = (ms: number): void => {
      const start = performance.now();
      while (performance.now() < start + ms);
    };
    let runs = 0;
    const run = async (max: number, connectionTimeoutMillis: number): Promise<unknown> => {
      const pool = open({ max, connectionTimeoutMillis });
      await Promise.all(Array.from({ length: max }, () => pool.query("SELECT 1")));
      const route = `/report/${runs++}`;
      const holders = Array.from({ length: max }, () => serve(route, () => pool.query("SELECT pg_sleep(0.03)")));
      const victim = serve("/victim", () => pool.query("SELECT 1")).catch((error: unknown) => error);
      await pause(1);
      // Timers are next in line after it, before answers are read.
      await new Promise(setImmediate);
      block(250);
      await Promise.all(holders);
      const outcome = await victim;
      await pool.end();
      return outcome;
    };
    for (const max of [1, 2, 3, 1, 2, 3]) await run(max, 0);
    const waits = collected.operations.map((operation) => (operation.kind === "database" ? operation.waitMs : 0));
    expect(waits.filter((ms) => ms > 200).length).toBeGreaterThanOrEqual(6);
    // A machine that takes the processor away between the block and the answer hides that they belong together.
    expect(found("pool_starved").length).toBeLessThanOrEqual(1);
    expect(await run(1, 150)).toBeInstanceOf(Error);
    expect(found("pool_timeout")).toMatchObject([{ reason: "blocked", endpoint: undefined, count: 1 }]);
  });

  test("requests that want a second connection while they hold one", async () => {
    collected = collect([createInsights({ pools: { waitMs: WAIT_MS } })]);
    const pool = open({ max: 3, connectionTimeoutMillis: 300 });
    const done = await Promise.allSettled(
      Array.from({ length: 3 }, () =>
        serve("/checkout", async () => {
          const client = await pool.connect();
          try {
            await client.query("BEGIN");
            // All three have one by now.
            await pause(50);
            await pool.query("SELECT 1");
          } finally {
            client.release();
          }
        }),
      ),
    );
    expect(done.some(({ status }) => status === "rejected")).toBe(true);
    await pool.end();
    expect(found("pool_timeout")).toMatchObject([{ endpoint: "GET /checkout", reason: "nested" }]);
    expect(found("pool_timeout")[0]?.title).toContain("wants another one in the same request");
  });

  test("a request that sends several queries at once waits for them, not for a connection of its own", async () => {
    collected = collect([createInsights({ pools: { waitMs: WAIT_MS }, eventLoop: UNWATCHED })]);
    const pool = open({ max: 2 });
    await Promise.all(Array.from({ length: 2 }, () => pool.query("SELECT 1")));
    await serve("/report", () =>
      Promise.all(Array.from({ length: 5 }, (_, n) => pool.query(`SELECT pg_sleep(${0.12 + n / 50})`))),
    );
    await pool.end();
    expect(found("pool_starved")).toMatchObject([{ endpoint: "GET /report", reason: "busy" }]);
  });

  test("leaks are found, each once; nothing else in a soak of normal traffic is one", { timeout: 60_000 }, async () => {
    collected = collect([createInsights({ pools: { waitMs: 0, idleMs: IDLE_MS, afterRequestMs: AFTER_REQUEST_MS } })]);
    const random = createRandom(3);
    const pool = open({ max: 30, idleTimeoutMillis: 0 });
    const listener = await serve("/listen", () => pool.connect());
    await listener.query("LISTEN news");
    await listener.query("SELECT 1");
    const locker = await serve("/lock", () => pool.connect());
    await locker.query("SELECT pg_try_advisory_lock($1)", [42]);
    /** Taken once for all: at the start, and by the first request that needs it. */
    const shared = await pool.connect();
    let lazy: Promise<PoolClient> | undefined;
    const endMs = performance.now() + 6_000;
    let served = 0;

    const NORMAL = {
      "/simple": () => pool.query("SELECT 1"),
      async "/transaction"() {
        const client = await pool.connect();
        await client.query("BEGIN");
        for (let n = 0; n < 5; n++) {
          await client.query("SELECT pg_sleep($1)", [random.between(1, 100) / 1000]);
          await pause(random.between(1, IDLE_MS / 4));
        }
        await client.query("COMMIT");
        client.release();
      },
      "/slow": () => pool.query("SELECT pg_sleep($1)", [(IDLE_MS * 2) / 1000]),
      async "/stream"() {
        const client = await pool.connect();
        const text = "SELECT * FROM generate_series(1, $1)";
        const rows = client.query(new QueryStream(text, [6], { batchSize: 1, highWaterMark: 1 }));
        for await (const _ of rows) await pause(IDLE_MS / 3);
        client.release();
      },
      async "/after"() {
        const client = await pool.connect();
        void (async () => {
          for (let n = 0; n < 5; n++) {
            await client.query("SELECT pg_sleep($1)", [AFTER_REQUEST_MS / 1000]);
            await pause(AFTER_REQUEST_MS / 4);
          }
          client.release();
        })();
      },
      async "/suppressed"() {
        const client = await pool.connect();
        const query = (): Promise<unknown> => client.query("SELECT pg_sleep($1)", [(IDLE_MS * 2) / 1000]);
        void context.with(suppress(context.active()), query).then(() => client.release());
      },
      async "/shared"() {
        await shared.query("SELECT 1");
        lazy ??= pool.connect();
        await (await lazy).query("SELECT 1");
      },
    };
    const worker = async (route: string, work: () => Promise<unknown>): Promise<void> => {
      while (performance.now() < endMs) {
        await serve(route, work);
        served++;
        await pause(route === "/shared" ? IDLE_MS * 1.2 : random.between(1, 40));
      }
    };
    // A request that uses it again within the limit shows that it is shared; without one in time it is as good as lost.
    for (let n = 0; n < 2; n++) await serve("/shared", NORMAL["/shared"]);
    await Promise.all(Object.entries(NORMAL).flatMap(([route, work]) => [worker(route, work), worker(route, work)]));
    expect(served).toBeGreaterThan(150);
    const falseAlarms = found("connection_leak").map(({ endpoint }) => String(endpoint));

    const lost: PoolClient[] = [];
    const leak = async (text: string): Promise<void> => {
      const client = await pool.connect();
      lost.push(client);
      await client.query(text);
    };
    const expected = Array.from({ length: 10 }, (_, n) => `GET /leak/${n}`);
    await Promise.all(expected.map((endpoint) => serve(endpoint.slice(4), () => leak("SELECT 1"))));
    await serve("/leak/unused", async () => void lost.push(await pool.connect()));
    // Outside of any request, and in one that goes on.
    await leak("SELECT 2");
    await serve("/leak/long", async () => {
      await leak("SELECT 3");
      await pause(IDLE_MS * 1.5);
    });
    expected.push("GET /leak/unused", "undefined", "GET /leak/long");
    await pause(AFTER_REQUEST_MS * 2);
    const leaks = found("connection_leak").map(({ endpoint }) => String(endpoint));
    const none = [...Object.keys(NORMAL).map((route) => `GET ${route}`), "GET /listen", "GET /lock"];
    expect(score("connection_leak", expected, leaks, none)).toMatchObject({ found: 13, precision: 1, recall: 1 });
    expect(leaks).toHaveLength(expected.length);
    expect(falseAlarms).toEqual([]);
    for (const client of [...lost, listener, locker, shared, await lazy]) client?.release();
    await pool.end();
  });

  test("a connection that is lost keeps nothing of its request", async () => {
    collected = collect([createInsights({ pools: { idleMs: IDLE_MS, afterRequestMs: AFTER_REQUEST_MS } })]);
    const pool = open({ max: 2 });
    // Opened outside of the request: Node keeps the context in which a socket was made with it.
    await pool.query("SELECT 1");
    const lost: PoolClient[] = [];
    const gone: WeakRef<object>[] = [];
    await serve("/lost", async () => {
      const client = await pool.connect();
      lost.push(client);
      const values = [{ of: "the app" }];
      await client.query("SELECT $1::json", values);
      gone.push(new WeakRef(values), new WeakRef(context.active()), new WeakRef(activeRequest() ?? {}));
    });
    collected.reset();
    await pause(AFTER_REQUEST_MS * 2);
    expect(found("connection_leak")).toMatchObject([{ endpoint: "GET /lost", reason: "after_request" }]);
    // Whoever watches the event loop knows the last request for a second.
    await waitFor(
      () => {
        collectGarbage();
        return gone.every((reference) => reference.deref() === undefined);
      },
      () => "the request to be let go",
    );
    for (const client of lost) client.release();
    await pool.end();
  });
});

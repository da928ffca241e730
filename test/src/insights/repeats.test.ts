import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, get, type IncomingMessage, type ServerResponse } from "node:http";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { AddressInfo } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import type { Finding, FindingKind } from "@telltale/core";
import { createInsights } from "@telltale/insights";
import { expressInstrumentation, httpInstrumentation } from "@telltale/instrumentation-http";
import { pgInstrumentation } from "@telltale/instrumentation-pg";
import { redisInstrumentation } from "@telltale/instrumentation-redis";
import { collect, type Collection, waitFor } from "@telltale/testkit";
import type { Redis } from "ioredis";
import type { Pool } from "pg";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { describeWith } from "../describe-with.js";
import { type PostgresServer, type RedisServer, startPostgres, startRedis } from "../servers/index.js";
import { createRandom } from "./random.js";
import { casesOf, scoreKind, scoreOrders, scoreSources } from "./repeat-scores.js";
import {
  createReader,
  createWorks,
  type Dialect,
  each,
  LIBRARY,
  type Library,
  numbers,
  ORDERS,
  paused,
  type Work,
} from "./repeat-works.js";
import { score } from "./scoreboard.js";

const instrumentations = [pgInstrumentation(), redisInstrumentation(), httpInstrumentation(), expressInstrumentation()];
for (const instrumentation of instrumentations) instrumentation.enable();
const require = createRequire(import.meta.url);
const pg = require("pg") as typeof import("pg");
const { Redis: RedisClient } = require("ioredis") as typeof import("ioredis");
const express = require("express") as () => Express;

interface Express {
  (request: unknown, response: unknown): void;
  get(path: string, handler: (request: unknown, response: { end(text: string): void }) => unknown): void;
}

/** The line of this file that has a mark. */
function lineOf(mark: string): number {
  const lines = readFileSync(import.meta.filename, "utf8").split("\n");
  return lines.findIndex((line) => line.endsWith(`// ${mark}`)) + 1;
}

const DIALECT: Dialect = {
  among: (column, parameter = "$1") => `${column} = ANY(${parameter})`,
  sleep: (seconds) => `pg_sleep(${seconds})`,
  newYearAnd: "date '2026-01-01' + $1::int",
  failsFiveTimes: "1 / (CASE WHEN nextval('tries') % 6 = 0 THEN 1 ELSE 0 END)",
  failing: "SELECT 1 / $1::int",
};

describeWith(["postgres", "redis"], "what one request asks again and again", () => {
  let server: PostgresServer;
  let redisServer: RedisServer;
  let pool: Pool;
  let redis: Redis;
  let collected: Collection;
  let upstream: string;
  let library: Library;
  let folder = "";
  const listening = createServer((request, response) => void app(request, response));
  const backend = createServer(answerUpstream);
  const app = express();
  const random = createRandom(4);
  // What repeats is found by how it repeats: how long it takes here, on a machine that does other things too, decides nothing.
  const insights = createInsights({ nPlusOne: { minTotalMs: 0 } });

  let failuresLeft = 0;
  function answerUpstream(request: IncomingMessage, response: ServerResponse): void {
    if (request.url?.startsWith("/flaky") === true && failuresLeft-- > 0) response.statusCode = 503;
    // So that the calls take their time.
    setTimeout(() => response.end("{}"), 5);
  }

  const { rows, orders, userOf } = createReader(() => pool);
  const ask = (path: string, init?: RequestInit): Promise<string> =>
    fetch(`${upstream}${path}`, init).then((response) => response.text());
  const askByHttp = (path: string): Promise<void> =>
    new Promise((done, failed) => {
      get(`${upstream}${path}`, (response) => response.resume().on("end", done)).on("error", failed);
    });
  /** Workloads for a number of keys. What has no truth is none. */
  const works: Readonly<Record<string, Work>> = {
    ...createWorks(
      () => pool,
      () => library,
      DIALECT,
    ),
    cursor: [
      async (keys) => {
        const client = await pool.connect();
        await client.query("BEGIN");
        await client.query("DECLARE every CURSOR FOR SELECT * FROM items");
        await each(numbers(keys), () => client.query("FETCH 20 FROM every"));
        await client.query("COMMIT");
        client.release();
      },
    ],
    unnest: [
      (keys) =>
        each(numbers(keys), (n) => rows("SELECT name FROM users JOIN unnest($1::int[]) AS k(id) USING (id)", [[n, 9]])),
    ],
    json_rows: [
      (keys) =>
        each(numbers(keys), (n) =>
          rows("SELECT name FROM users JOIN json_to_recordset($1) AS k(id int) USING (id)", [
            JSON.stringify([{ id: n }, { id: n + 1 }]),
          ]),
        ),
    ],
    values: [
      (keys) =>
        each(numbers(keys), (n) =>
          rows("SELECT name FROM users JOIN (VALUES ($1::int), ($2)) AS k(id) USING (id)", [n, n + 1]),
        ),
    ],
    // Redis.
    lookups: [
      (keys) => each(numbers(keys, 0), (n) => redis.get(`user:${n}`)),
      { kind: "repeated_lookup", summary: "GET", order: "sequential", source: null },
    ],
    lookups_of_rows: [
      async (keys) => each(await orders(keys), ({ user_id }) => redis.get(`user:${user_id}`)),
      { kind: "repeated_lookup", summary: "GET", ...ORDERS },
    ],
    fields: [
      (keys) => each(numbers(keys, 0), (n) => redis.hget("settings", `field${n}`)),
      { kind: "repeated_lookup", summary: "HGET" },
    ],
    same_lookup: [
      (keys) => each(numbers(keys), () => redis.get("user:1")),
      { kind: "repeated_lookup", summary: "GET" },
    ],
    mget: [(keys) => each(numbers(keys, 0), (n) => redis.mget(`user:${n}`, `user:${n + 1}`))],
    pipeline: [
      async (keys) => {
        const pipeline = redis.pipeline();
        for (let n = 0; n < keys; n++) pipeline.get(`user:${n}`);
        await pipeline.exec();
      },
    ],
    lookups_at_once: [(keys) => Promise.all(numbers(keys, 0).map((n) => redis.get(`user:${n}`)))],
    scan: [
      async () => {
        let cursor = "0";
        do [cursor] = await redis.scan(cursor, "COUNT", 8);
        while (cursor !== "0");
      },
    ],
    ranges: [(keys) => each(numbers(keys, 0), (n) => redis.lrange("queue", n * 4, n * 4 + 3))],
    redis_writes: [(keys) => each(numbers(keys, 0), (n) => redis.set(`written:${n}`, n))],
    // Requests sent.
    http_loop: [
      (keys) => each(numbers(keys), (id) => askByHttp(`/users/${id}`)),
      { kind: "repeated_http_call", order: "sequential", source: null },
    ],
    http_of_rows: [
      async (keys) => each(await orders(keys), ({ user_id }) => ask(`/users/${user_id}/profile`)),
      { kind: "repeated_http_call", order: "sequential", ...ORDERS },
    ],
    http_parallel: [
      (keys) => Promise.all(numbers(keys).map((id) => ask(`/parallel/${id}`))),
      { kind: "repeated_http_call", order: "parallel", source: null },
    ],
    http_by_query: [(keys) => each(numbers(keys), (id) => ask(`/price?sku=${id}`)), { kind: "repeated_http_call" }],
    http_same: [(keys) => each(numbers(keys), () => ask("/settings")), { kind: "repeated_http_call" }],
    http_pages: [(keys) => each(numbers(keys), (n) => ask(`/items?kind=a&page=${n}`))],
    http_different: [
      (keys) => each(numbers(keys), (n) => ask(`/${"abcdefghijklmnopqrstuvwxyzabcdefgh".slice(n, n + 3)}`)),
    ],
    http_retries: [
      async (keys) => {
        failuresLeft = keys;
        while ((await fetch(`${upstream}/flaky/1`)).status === 503);
      },
    ],
    http_polls: [() => paused(8, () => ask("/state/17"))],
    http_writes: [(keys) => each(numbers(keys), (id) => ask(`/notes/${id}`, { method: "POST", body: "{}" }))],
    // What is known to go wrong: see WRONG.
    http_by_name: [
      (keys) => each(numbers(keys), (n) => ask(`/users/${"abcdefghijklmnopqrstuvwxyz".slice(n)}`)),
      { kind: "repeated_http_call" },
    ],
    http_batch: [() => ask("/users?ids=1,2,3,4,5,6,7,8,9")],
  };
  /** Why these are missed, and a false alarm. */
  const WRONG: Readonly<Record<string, string>> = {
    any_of_a_list: "a query that binds an array of several is taken for a batch, also where another value is the key",
    http_by_name: "a name in a path cannot be told from a route of its own by looks",
    small_chunks: "few rows each and no limit: as the questions about each day are",
  };
  /** The call of a shape of its own, in a loop; its mark is its name. */
  const SITED: Readonly<Record<string, (name: string) => Promise<unknown>>> = {
    sequential: (name) => each(numbers(9), (id) => pool.query(`SELECT name AS ${name} FROM users WHERE id = $1`, [id])), // site sequential
    parallel: (name) =>
      Promise.all(
        numbers(9).map((id) => pool.query(`SELECT name AS ${name} FROM users WHERE id = $1`, [id])), // site parallel
      ),
    orm: async (name) => {
      for (const id of numbers(9)) {
        await library.find(pool, `SELECT name AS ${name} FROM users WHERE id = $1`, [id]); // site orm
      }
    },
    builder: async (name) => {
      const users = new library.Builder(pool, `SELECT name AS ${name} FROM users WHERE id = $1`);
      for (const id of numbers(9)) {
        await users.where([id]); // site builder
      }
    },
    redis: () => each(numbers(9), (n) => redis.strlen(`user:${n}`)), // site redis
    http: () => each(numbers(9), (n) => fetch(`${upstream}/site/${n}`, { method: "HEAD" })), // site http
  };
  const sizes = Array.from({ length: 3 }, (_, n) => random.between(8 + n * 6, 12 + n * 6));
  const cases = casesOf(works, sizes);

  beforeAll(async () => {
    [server, redisServer] = await Promise.all([startPostgres(), startRedis()]);
    collected = collect([insights]);
    pool = new pg.Pool({ connectionString: server.url, max: 8 });
    redis = new RedisClient(redisServer.url);
    for (const one of [listening, backend]) {
      one.listen(0, "127.0.0.1");
      await once(one, "listening");
    }
    upstream = `http://127.0.0.1:${(backend.address() as AddressInfo).port}`;
    await pool.query(`
      CREATE TABLE users (id int PRIMARY KEY, name text);
      CREATE TABLE orders (id int PRIMARY KEY, user_id int, day date);
      CREATE TABLE items (id int PRIMARY KEY, order_id int, product_id int);
      CREATE TABLE products (id int PRIMARY KEY, name text);
      CREATE TABLE jobs (id serial PRIMARY KEY, state text);
      INSERT INTO users SELECT n, 'user ' || n FROM generate_series(1, 200) n;
      INSERT INTO orders SELECT n, n, date '2026-01-01' + n FROM generate_series(1, 400) n;
      INSERT INTO items SELECT n, (n + 3) / 4, n FROM generate_series(1, 1600) n;
      INSERT INTO products SELECT n, 'product ' || n FROM generate_series(1, 1600) n;
      INSERT INTO jobs (state) SELECT 'new' FROM generate_series(1, 2000);
      CREATE INDEX ON items (order_id);`);
    for (let n = 0; n < 100; n++) await redis.set(`user:${n}`, n);
    await redis.hset("settings", Object.fromEntries(Array.from({ length: 50 }, (_, n) => [`field${n}`, n])));
    await redis.rpush("queue", ...Array.from({ length: 100 }, (_, n) => n));
    folder = mkdtempSync(join(tmpdir(), "telltale-orm-"));
    mkdirSync(join(folder, "node_modules/orm"), { recursive: true });
    writeFileSync(join(folder, "node_modules/orm/index.mjs"), LIBRARY);
    library = (await import(join(folder, "node_modules/orm/index.mjs"))) as Library;
    await pool.query("CREATE SEQUENCE tries");
    for (const { route, run } of cases) {
      app.get(route, async (_, response) => {
        await run();
        response.end("ok");
      });
    }
    for (const [name, run] of Object.entries(SITED)) {
      app.get(`/site/${name}`, async (_, response) => {
        await run(name);
        response.end("ok");
      });
      // The same once, from another place.
      app.get(`/elsewhere/${name}`, async (_, response) => {
        await pool.query(`SELECT name AS ${name} FROM users WHERE id = $1`, [1]);
        response.end("ok");
      });
    }
    app.get("/ends_first", async (_, response) => {
      response.end("ok");
      await pause(20);
      await each(numbers(20), userOf);
    });
  });
  afterAll(async () => {
    for (const one of [listening, backend]) {
      one.closeAllConnections();
      one.close();
    }
    redis.disconnect();
    await pool.end();
    insights.stop();
    collected.stop();
    for (const instrumentation of instrumentations) instrumentation.disable();
    await Promise.all([server.stop(), redisServer.stop()]);
    rmSync(folder, { recursive: true, force: true });
  });
  beforeEach(() => collected.reset());

  const KINDS = ["n_plus_one", "duplicate_query", "repeated_lookup", "repeated_http_call"] as const;
  const isRepeat = ({ kind }: Finding): boolean => (KINDS as readonly FindingKind[]).includes(kind);
  async function serve(routes: readonly string[]): Promise<Finding[]> {
    collected.reset();
    const { port } = listening.address() as AddressInfo;
    for (const route of routes) {
      const answer = await fetch(`http://127.0.0.1:${port}${route}`);
      expect([route, await answer.text()]).toEqual([route, "ok"]);
    }
    const served = (): number =>
      collected.operations.filter((one) => one.kind === "http.server" && one.request?.route !== undefined).length;
    await waitFor(() => served() >= routes.length, "the requests to end");
    return collected.findings.filter(isRepeat);
  }

  // First, as of all calls only so many give their stacks.
  test("the second time, it is told where the calls of the loop are made", async () => {
    const names = Object.keys(SITED);
    const routes = names.map((name) => `/site/${name}`);
    const found: string[] = [];
    const first = await serve(routes);
    expect(first.map(({ route, callSite }) => [route, callSite])).toEqual(routes.map((route) => [route, undefined]));
    // Which takes no part where the loop goes one after the other.
    await serve(names.filter((name) => name !== "parallel").map((name) => `/elsewhere/${name}`));
    const second = await serve(routes);
    for (const { route, callSite } of second) {
      const name = route?.slice("/site/".length) ?? "";
      if (callSite === undefined) continue;
      const isRight = callSite.file === import.meta.filename && callSite.line === lineOf(`site ${name}`);
      found.push(isRight ? name : `${name}: ${callSite.file}:${callSite.line}`);
    }
    const { missed, falseAlarms } = score("site of a loop", names, found);
    expect({ missed, falseAlarms }).toEqual({ missed: [], falseAlarms: [] });
    // And remembered, once it is known.
    const third = await serve(routes);
    expect(third.map(({ callSite }) => callSite)).toEqual(second.map(({ callSite }) => callSite));
  });

  test("where a shape is called from elsewhere is not where its loop is", async () => {
    const text = "SELECT name AS crowded FROM users WHERE id = $1";
    app.get("/crowded", async (_, response) => {
      await Promise.all(numbers(9).map((id) => pool.query(text, [id])));
      response.end("ok");
    });
    app.get("/crowd", async (_, response) => {
      await pool.query(text, [1]);
      response.end("ok");
    });
    await serve(["/crowded"]);
    // These take the places that are to be had this minute.
    await serve(["/crowd", "/crowd", "/crowd"]);
    const [finding] = await serve(["/crowded"]);
    expect(finding).toMatchObject({ kind: "n_plus_one", callSite: undefined });
  });

  let loops: Finding[] = [];
  test("loops are found, and what is none is not", { timeout: 60_000 }, async () => {
    loops = await serve(cases.map(({ route }) => route));
    for (const kind of KINDS) {
      const { wrong, precision, recall } = scoreKind(kind, cases, loops);
      const isUnknown = (label: string): boolean => !((/\w+/.exec(label)?.[0] ?? "") in WRONG);
      expect({ kind, wrong: wrong.filter(isUnknown) }).toEqual({ kind, wrong: [] });
      expect(precision).toBeGreaterThan(0.95);
      expect(recall).toBeGreaterThan(kind === "repeated_http_call" ? 0.8 : 0.95);
    }
  });

  test("the query that feeds a loop is named, and called probable where it is a guess", () => {
    expect(scoreSources("source of a loop", cases, loops)).toMatchObject({ missed: [], falseAlarms: [] });
    const { title, evidence } = loops.find(({ route }) => route === `/children/${sizes[0]}`) ?? {};
    expect(title).toMatch(
      new RegExp(
        `^GET /children/${sizes[0]} runs SELECT items ${sizes[0]} times \\(.* of .*\\), one after the other, for each of the ${sizes[0]} rows of SELECT orders$`,
      ),
    );
    expect(evidence).toEqual({
      order: "sequential",
      source_query: "SELECT orders",
      source_fingerprint: expect.stringMatching(/^[0-9a-f]{16}$/),
      source_rows: sizes[0],
      source_calls: 1,
      source_is_estimate: false,
    });
    expect(loops.find(({ route }) => route === `/some_left_out/${sizes[0]}`)?.title).toContain(
      `, probably for the ${sizes[0]} rows of SELECT orders`,
    );
    expect(loops.find(({ title }) => title.includes("SELECT products"))?.title).toMatch(
      /for each of the \d+ rows of SELECT items, itself run \d+ times$/,
    );
  });

  test("calls one after the other are told from calls in parallel", () => {
    expect(scoreOrders("order of a loop", cases, loops)).toMatchObject({ missed: [], falseAlarms: [] });
  });

  test("outside of a request, and after its end, nothing is a loop", async () => {
    await each(numbers(20), userOf);
    const findings = await serve(["/ends_first"]);
    await waitFor(() => collected.operations.filter(({ kind }) => kind === "database").length >= 20, "its queries");
    expect([...findings, ...collected.findings.filter(isRepeat)]).toEqual([]);
  });
});

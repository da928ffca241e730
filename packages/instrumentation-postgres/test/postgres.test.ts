import { rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { Readable } from "node:stream";
import { setTimeout as pause } from "node:timers/promises";
import { context, createContextKey, SpanStatusCode, trace } from "@opentelemetry/api";
import { addListener, type DatabaseOperation, type InLine, type Line, readPools, takeAllSites } from "@telltale/core";
import { describeWith } from "@telltale/test/describe-with";
import { type PostgresServer, startPostgres } from "@telltale/test/servers";
import { collect, type Collection, waitFor } from "@telltale/testkit";
import type { Sql } from "postgres";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { instrumentation, releases } from "./postgres.js";

describeWith(["postgres"], "postgres.js", () => {
  let server: PostgresServer;
  let collected: Collection;
  beforeAll(async () => {
    server = await startPostgres({
      settings: {
        shared_preload_libraries: "pg_stat_statements",
        "pg_stat_statements.track": "top",
        wal_level: "logical",
      },
    });
    collected = collect();
  });
  afterEach(() => collected.reset());
  afterAll(async () => {
    collected.stop();
    await server.stop();
  });
  const calls = () => collected.operations as readonly DatabaseOperation[];
  const all = <Entry extends InLine<Entry>>(line: Line<Entry> | undefined): Entry[] => {
    const entries: Entry[] = [];
    for (let at = line?.first; at !== undefined; at = at.after) entries.push(at);
    return entries;
  };
  const summaries = () => calls().map(({ template }) => template.querySummary);

  describe.each(releases)("$name", ({ driver, tellsOptions }) => {
    let sql: Sql;
    let admin: Sql;
    const connect = (more: object = {}) => driver(server.url, { max: 2, onnotice: () => {}, ...more });
    beforeAll(async () => {
      sql = connect();
      admin = connect({ max: 1, connection: { application_name: "admin" } });
      await sql`CREATE TABLE IF NOT EXISTS things (id int, name text)`;
      await sql`CREATE EXTENSION IF NOT EXISTS pg_stat_statements`;
      await sql`TRUNCATE things`;
      collected.reset();
    });
    afterAll(async () => {
      await sql.end();
      await admin.end();
    });

    const READ = "SELECT n FROM generate_series(1, 3) AS n WHERE n > $1";
    type Run = () => Promise<unknown>;
    const forms: [string, Run][] = [
      ["a tagged template", async () => await sql`SELECT n FROM generate_series(1, 3) AS n WHERE n > ${0}`],
      ["the same again, prepared", async () => await sql`SELECT n FROM generate_series(1, 3) AS n WHERE n > ${0}`],
      [
        "a template with a fragment in it",
        async () => {
          const where = sql`WHERE n > ${0}`;
          return await sql`SELECT n FROM generate_series(1, 3) AS n ${where}`;
        },
      ],
      ["a text", async () => await sql.unsafe(READ, [0])],
      ["a text, prepared", async () => await sql.unsafe(READ, [0], { prepare: true })],
      ["a text without values", async () => await sql.unsafe("SELECT n FROM generate_series(1, 3) AS n WHERE n > 0")],
      ["execute", async () => await sql.unsafe(READ, [0]).execute()],
      [
        "a file",
        async () => {
          const path = join(tmpdir(), `telltale-${process.pid}.sql`);
          await writeFile(path, READ);
          return await sql.file(path, [0 as never]).finally(() => rm(path));
        },
      ],
      [
        "forEach",
        async () => {
          const rows: unknown[] = [];
          await sql.unsafe(READ, [0]).forEach((row) => void rows.push(row));
          return rows;
        },
      ],
      [
        "a cursor with a function",
        async () => {
          const rows: unknown[] = [];
          await sql.unsafe(READ, [0]).cursor(2, (some) => void rows.push(...some));
          return rows;
        },
      ],
      [
        "a cursor that is iterated",
        async () => {
          const rows: unknown[] = [];
          for await (const some of sql.unsafe(READ, [0]).cursor(2)) rows.push(...some);
          return rows;
        },
      ],
      ["raw rows", async () => await sql.unsafe(READ, [0]).raw()],
    ];
    test.each(forms)("%s is one operation with its rows, below the caller's span", async (_, run) => {
      await trace.getTracer("test").startActiveSpan("caller", async (span) => {
        expect(await run()).toHaveLength(3);
        span.end();
      });
      await waitFor(() => calls().length > 0, "the operation");
      expect(calls()).toHaveLength(1);
      expect(calls()[0]).toMatchObject({ rows: 3, errorType: undefined });
      expect(calls()[0]?.template).toMatchObject({
        system: "postgresql",
        operationName: "SELECT",
        effect: "read",
        ...(tellsOptions && {
          namespace: server.database,
          serverAddress: server.host,
          serverPort: server.port,
          poolName: `127.0.0.1:${server.port}/${server.database}`,
        }),
      });
      const caller = collected.spans.find(({ name }) => name === "caller");
      const query = collected.spans.find(({ name }) => name !== "caller");
      expect(query?.parentSpanContext?.spanId).toBe(caller?.spanContext().spanId);
    });

    test("a query belongs to whoever awaits it, and one that nobody awaits does not run", async () => {
      const tracer = trace.getTracer("test");
      const written = tracer.startActiveSpan("written", (span) => {
        span.end();
        return { awaited: sql`SELECT 1 AS awaited`, left: sql`SELECT 2 AS left` };
      });
      await tracer.startActiveSpan("awaited", async (span) => {
        await written.awaited;
        span.end();
      });
      expect(calls().map(({ template }) => template.queryText)).toEqual(["SELECT ? AS awaited"]);
      const awaited = collected.spans.find(({ name }) => name === "awaited");
      const query = collected.spans.find(({ name }) => name === "SELECT");
      expect(query?.parentSpanContext?.spanId).toBe(awaited?.spanContext().spanId);
    });

    test("the site is where the query is written, be it a template or a text", async () => {
      const stop = takeAllSites();
      try {
        await sql.unsafe("SELECT 1");
        collected.reset();
        await (async function written() {
          return await sql`SELECT ${3}::int`;
        })();
        await (async function asText() {
          return await sql.unsafe("SELECT 4");
        })();
        await expect.poll(() => calls().map(({ site }) => site?.function)).toEqual(["written", "asText"]);
        for (const { site } of calls()) expect(site?.file).toBe(import.meta.filename);
      } finally {
        stop();
      }
      await sql.unsafe("SELECT 1");
    });

    test("where the driver asks nothing itself, the first query of a pool is as it would be", async () => {
      type Inner = { strings: readonly string[]; args: readonly unknown[]; string: string; parameters: unknown };
      const inner = (query: unknown): Inner => query as Inner;
      const fresh = () => connect({ fetch_types: false, max: 1 });
      const [tagged, text, plain, failing] = [fresh(), fresh(), fresh(), fresh()];
      const first = tagged`SELECT ${7}::int AS n, ${"it's"} AS word`;
      const { strings, args } = inner(first);
      expect([...(await first)]).toEqual([{ n: 7, word: "it's" }]);
      expect(inner(first).strings).toBe(strings);
      expect(inner(first).args).toBe(args);
      expect(inner(first)).toMatchObject({ string: "SELECT $1::int AS n, $2 AS word", parameters: ["7", "it's"] });
      const values = [7];
      const second = text.unsafe("SELECT $1::int AS n", values);
      expect([...(await second)]).toEqual([{ n: 7 }]);
      expect(inner(second).args).toBe(values);
      expect(values).toEqual([7]);
      expect([...(await plain.unsafe("SELECT 1 AS a; SELECT 2 AS b"))]).toHaveLength(2);
      const refused = await failing`SELECT ${undefined as never}, ${2}`.catch((error: unknown) => error);
      expect((refused as Inner).args).toEqual([undefined, 2]);
      expect(calls()).toHaveLength(4);
      const names = calls().map(({ template }) => template.poolName !== undefined);
      // What fails before its text is written leads nowhere yet.
      expect(names).toEqual(tellsOptions ? [true, true, true, false] : [false, false, false, false]);
      await Promise.all([tagged, text, plain, failing].map((own) => own.end()));
    });

    test("rows are handed over in the context of their caller", async () => {
      const key = createContextKey("caller");
      const seen: unknown[] = [];
      const note = () => void seen.push(context.active().getValue(key));
      const as = <T>(name: string, run: () => T): T => context.with(context.active().setValue(key, name), run);
      await Promise.all([
        as("first", async () => await sql`SELECT 1`.forEach(note)),
        as("second", async () => await sql`SELECT 1`.cursor(note as never)),
        as("third", async () => await sql`SELECT 1`.then(note)),
      ]);
      expect(seen.toSorted()).toEqual(["first", "second", "third"]);
    });

    test("transactions and savepoints: each statement once, in order, rolled back where they fail", async () => {
      await sql.begin(async (own) => {
        await own`INSERT INTO things ${own({ id: 1, name: "s3cret" })}`;
        await own
          .savepoint(async (inner) => {
            await inner`UPDATE things SET name = ${"x"}`;
            throw new Error("not that");
          })
          .catch(() => {});
      });
      expect(summaries()).toEqual(["BEGIN", "INSERT things", "SAVEPOINT", "UPDATE things", "ROLLBACK", "COMMIT"]);
      collected.reset();
      await expect(sql.begin((own) => [own`SELECT 1`, own`SELECT nope`])).rejects.toMatchObject({ code: "42703" });
      expect(summaries()).toEqual(["BEGIN", "SELECT", "SELECT", "ROLLBACK"]);
      expect(JSON.stringify(collected.spans.map(({ attributes }) => attributes))).not.toContain("s3cret");
    });

    test("an error fails its query once, and is the driver's own", async () => {
      await expect(sql`SELECT * FROM nowhere`).rejects.toMatchObject({ name: "PostgresError", code: "42P01" });
      expect(calls()).toHaveLength(1);
      expect(calls()[0]).toMatchObject({ errorType: "42P01", statusCode: "42P01" });
      expect(collected.spans.map(({ status }) => status.code)).toEqual([SpanStatusCode.ERROR]);
      await expect(sql`SELECT ${undefined as never}`).rejects.toMatchObject({ code: "UNDEFINED_VALUE" });
      const nowhere = connect({ port: 1, backoff: 0 });
      await expect(nowhere`SELECT id FROM things WHERE id = ${1}`).rejects.toMatchObject({ code: "ECONNREFUSED" });
      expect(calls().at(-1)).toMatchObject({ errorType: "ECONNREFUSED" });
      expect(calls().at(-1)?.template.querySummary).toBe("SELECT things");
      await nowhere.end();
      collected.reset();
      await expect(nowhere`SELECT 1`).rejects.toMatchObject({ code: "CONNECTION_ENDED" });
      expect(calls()[0]).toMatchObject({ errorType: "CONNECTION_ENDED" });
    });

    test("cancelled: before it is sent it never runs, later the server says so", async () => {
      const slow = sql`SELECT pg_sleep(10)`.execute();
      await expect
        .poll(
          async () =>
            (
              await admin`SELECT 1 FROM pg_stat_activity WHERE query LIKE ${"SELECT pg_sleep(10)%"} AND pid <> pg_backend_pid()`
            ).length,
        )
        .toBe(1);
      collected.reset();
      // Not by its own `cancel`: where the server resets the connection that asks for it, the driver leaves a rejection that nobody can handle.
      const refused = expect(slow).rejects.toMatchObject({ code: "57014" });
      await admin`SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query LIKE ${"SELECT pg_sleep(10)%"} AND pid <> pg_backend_pid()`;
      await refused;
      expect(calls().filter(({ errorType }) => errorType !== undefined)).toMatchObject([
        { errorType: "57014", statusCode: "57014" },
      ]);
      const single = connect({ max: 1 });
      await single`SELECT 1`;
      collected.reset();
      await single.begin(async () => {
        const waiting = single`SELECT 'waiting'`.execute();
        await pause(1);
        void waiting.cancel();
        await expect(waiting).rejects.toMatchObject({ code: "57014" });
      });
      expect(summaries()).toEqual(["BEGIN", "SELECT", "COMMIT"]);
      expect(calls()[1]).toMatchObject({ errorType: "57014" });
      await single.end();
    });

    test("COPY lasts as long as its stream", async () => {
      const input = await sql`COPY things FROM STDIN`.writable();
      expect(calls()).toHaveLength(0);
      await pipeline(Readable.from(["7\tseven\n", "8\teight\n"]), input);
      await waitFor(() => calls().length === 1, "the end of the copy");
      expect(calls()[0]).toMatchObject({ rows: 2, errorType: undefined });
      collected.reset();
      let read = "";
      for await (const chunk of await sql`COPY (SELECT id FROM things WHERE id IN (7, 8)) TO STDOUT`.readable())
        read += String(chunk);
      expect(read).toBe("7\n8\n");
      await waitFor(() => calls().length === 1, "the end of the copy");
      expect(calls()[0]?.rows).toBe(2);
    });

    test("listen, notify", async () => {
      const heard: string[] = [];
      const listening = await sql.listen("news", (payload) => void heard.push(payload));
      await sql.notify("news", "it's here");
      await waitFor(() => heard.length === 1, "the notification");
      await listening.unlisten();
      expect(heard).toEqual(["it's here"]);
      expect(summaries()).toEqual(["LISTEN", "SELECT", "UNLISTEN"]);
      // The connection that listens is of another pool.
      expect(calls()[0]?.template.session).toBe("kept");
    });

    test("subscribe: a replication that has begun is no call that runs", async () => {
      await sql`DROP PUBLICATION IF EXISTS alltables`;
      await sql`CREATE PUBLICATION alltables FOR ALL TABLES`;
      collected.reset();
      const heard: unknown[] = [];
      const { unsubscribe } = await sql.subscribe("insert:things", (row) => void heard.push(row));
      await sql`INSERT INTO things VALUES (3, 'new')`;
      await waitFor(() => heard.length === 1, "the row");
      expect(calls()).toHaveLength(collected.started.length);
      expect(summaries().at(-1)).toBe("INSERT things");
      unsubscribe();
      await sql`DROP PUBLICATION alltables`;
    });

    test("every statement counts, and the server counts the same", async () => {
      const counting = connect({ max: 3 });
      await admin`SELECT pg_stat_statements_reset()`;
      collected.reset();
      await Promise.all(Array.from({ length: 20 }, (_, n) => counting`SELECT ${n}::int AS n`));
      for (let n = 0; n < 10; n++) await counting.unsafe(`SELECT ${n} AS text`);
      await counting.begin(async (own) => {
        await Promise.all([own`INSERT INTO things VALUES (9, 'x')`, own`DELETE FROM things WHERE id = 9`]);
      });
      for await (const _ of counting`SELECT n FROM generate_series(1, 10) AS n`.cursor(3));
      await counting`SELECT ${1}::int AS n`.describe();
      const told = calls().length;
      expect(told).toBe(35);
      // Once for each connection, the driver asks which types there are. A cursor is counted when it is closed, a moment later.
      const counts = async (): Promise<unknown> => {
        const [counted] = await admin`
          SELECT sum(calls) FILTER (WHERE query NOT LIKE '%b.typarray%')::int AS asked,
            sum(calls) FILTER (WHERE query LIKE '%b.typarray%')::int AS types
          FROM pg_stat_statements WHERE query NOT LIKE '%pg_stat_statements%'`;
        return counted;
      };
      await expect.poll(counts).toEqual({ asked: told, types: 3 });
      await counting.end();
    });

    test("suppressed, nothing is told; what nobody handles is nobody's", async () => {
      const { suppress } = await import("@telltale/core");
      await context.with(suppress(context.active()), async () => await sql`SELECT 1`);
      expect(calls()).toEqual([]);
      const unhandled: unknown[] = [];
      const note = (error: unknown) => void unhandled.push(error);
      const others = process.listeners("unhandledRejection");
      process.removeAllListeners("unhandledRejection").on("unhandledRejection", note);
      sql`SELECT nope`.execute();
      await waitFor(() => unhandled.length > 0, "the unhandled rejection");
      process.removeAllListeners("unhandledRejection");
      for (const other of others) process.on("unhandledRejection", other);
      expect(unhandled).toHaveLength(1);
    });

    test.runIf(tellsOptions)("the pool: who has connections, who waits, and for how long", async () => {
      let mine: string | undefined;
      const timings: [string, number][] = [];
      const waits: number[] = [];
      const stop = addListener({
        name: "test",
        poolTimed: (pool, what, ms) => void (pool.name === mine && timings.push([what, ms])),
        poolWaited: (_, waiter, nowMs) => void waits.push(nowMs - waiter.askedMs),
      });
      const pool = connect({ max: 2, max_pipeline: 1, connection: { application_name: "pooled" } });
      await Promise.all([pool`SELECT pg_sleep(0.01)`, pool`SELECT pg_sleep(0.01)`]);
      mine = readPools().at(-1)?.pool.name;
      const reading = () => readPools().find((entry) => entry.pool.name === mine)?.reading;
      expect(reading()).toEqual({ used: 0, idle: 2, pending: 0, limit: 2 });
      timings.length = 0;
      const busy = Promise.all(Array.from({ length: 4 }, () => pool`SELECT pg_sleep(${0.1}::float)`));
      await pause(40);
      expect(reading()).toMatchObject({ used: 2, idle: 0 });
      const backends = await admin`SELECT 1 FROM pg_stat_activity WHERE application_name = 'pooled'`;
      expect(backends).toHaveLength(2);
      await busy;
      expect(reading()).toEqual({ used: 0, idle: 2, pending: 0, limit: 2 });
      const waited = timings.filter(([what]) => what === "wait");
      expect(waited).toHaveLength(4);

      // A transaction has its connection from BEGIN to COMMIT, also while nothing runs.
      let go = (): void => {};
      const gate = new Promise<void>((resolve) => (go = resolve));
      const transactions = [1, 2].map((n) => pool.begin(async (own) => [await own`SELECT ${n}::int`, await gate]));
      await pause(50);
      expect(reading()).toMatchObject({ used: 2, idle: 0, pending: 0 });
      const entry = readPools().find((one) => one.pool.name === mine)?.pool;
      expect(all(entry?.loans).map((loan) => loan.runningTemplate()?.operationName)).toEqual(["SELECT", "SELECT"]);
      const late = pool`SELECT 'late'`.execute();
      await pause(50);
      expect(reading()).toMatchObject({ used: 2, pending: 1 });
      expect(all(entry?.waiters)).toHaveLength(1);
      go();
      await Promise.all([...transactions, late]);
      expect(waits).toHaveLength(1);
      expect(waits[0]).toBeGreaterThan(40);
      expect(Math.max(...calls().map(({ waitMs }) => waitMs))).toBeGreaterThan(40);
      expect(reading()).toEqual({ used: 0, idle: 2, pending: 0, limit: 2 });

      const reserved = await pool.reserve();
      await pause(1);
      expect(reading()).toMatchObject({ used: 1, idle: 1 });
      expect(all(entry?.loans)).toHaveLength(1);
      await reserved`SELECT 1`;
      expect(reading()).toMatchObject({ used: 1, idle: 1 });
      reserved.release();
      expect(reading()).toMatchObject({ used: 0, idle: 2 });
      expect(all(entry?.loans)).toHaveLength(0);

      await admin`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'pooled'`;
      await expect.poll(reading).toMatchObject({ used: 0, idle: 0 });
      await pool`SELECT 1`;
      expect(reading()).toMatchObject({ used: 0, idle: 1 });
      await pool.end();
      expect(reading()).toBeUndefined();
      stop();
    });

    test.runIf(tellsOptions)("a connection that the driver never tells is idle between its queries", async () => {
      const uses: number[] = [];
      const stop = addListener({
        name: "test",
        poolTimed: (_, what, ms) => void (what === "use" && uses.push(ms)),
      });
      const pool = connect({ max: 1, fetch_types: false, connection: { application_name: "untold" } });
      const run = () => pool.unsafe("SELECT $1::int AS n, pg_sleep(0.05)", [1]);
      await run();
      const mine = readPools().at(-1)?.pool.name;
      const reading = () => readPools().find((entry) => entry.pool.name === mine)?.reading;
      expect(reading()).toEqual({ used: 0, idle: 1, pending: 0, limit: 1 });
      await pause(300);
      await Promise.all([run(), pause(25).then(() => expect(reading()).toMatchObject({ used: 1, idle: 0 }))]);
      expect(uses).toHaveLength(2);
      expect(Math.max(...uses)).toBeLessThan(200);
      await pool.unsafe("SELECT $1::int / 0", [1]).catch(() => {});
      expect(reading()).toMatchObject({ used: 0, idle: 1 });
      const lost = pool.unsafe("SELECT pg_sleep($1::int)", [9]).catch(() => {});
      await pause(25);
      await admin`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'untold'`;
      await lost;
      expect(reading()).toMatchObject({ used: 0, idle: 0 });
      // The driver waits for the lost one otherwise.
      await pool.end({ timeout: 0 });
      stop();
    });

    test("disabled, the driver is itself again", async () => {
      const prototype = Object.getPrototypeOf(sql.unsafe("")) as { handle: unknown };
      const ours = prototype.handle;
      instrumentation.disable();
      await sql`SELECT 1`;
      expect(summaries()).toEqual([]);
      expect(prototype.handle).not.toBe(ours);
      expect("parameters" in prototype).toBe(false);
      instrumentation.enable();
      await sql`SELECT 1`;
      expect(summaries()).toEqual(["SELECT"]);
    });
  });
});

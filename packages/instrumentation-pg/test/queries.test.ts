import { context, SpanStatusCode, trace } from "@opentelemetry/api";
import type { DatabaseOperation } from "@telltale/core";
import { describeWith } from "@telltale/test/describe-with";
import { type PostgresServer, startPostgres } from "@telltale/test/servers";
import { collect, type Collection, waitFor } from "@telltale/testkit";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { Cursor, instrumentation, pg, QueryStream } from "./pg.js";

describeWith(["postgres"], "pg", () => {
  let server: PostgresServer;
  let collected: Collection;
  let pool: import("pg").Pool;

  beforeAll(async () => {
    server = await startPostgres();
    pool = new pg.Pool({ connectionString: server.url, max: 2 });
    collected = collect();
  });
  afterEach(() => collected.reset());
  afterAll(async () => {
    collected.stop();
    await pool.end();
    await server.stop();
  });

  const calls = () => collected.operations as readonly DatabaseOperation[];
  const summaries = () => calls().map(({ template }) => template.querySummary);

  type Query = (text: string) => Promise<unknown>;
  const forms: [string, Query][] = [
    ["text", (text) => pool.query(text)],
    ["text and values", (text) => pool.query(text, [])],
    ["config", (text) => pool.query({ text })],
    ["config and values", (text) => pool.query({ text }, [])],
    ["a prepared statement", (text) => pool.query({ text, name: "by-name" })],
    [
      "a callback",
      (text) =>
        new Promise((resolve, reject) =>
          pool.query(text, (error, result) => (error ? reject(error) : resolve(result))),
        ),
    ],
    ["values and a callback", (text) => new Promise((resolve) => pool.query(text, [], (_, result) => resolve(result)))],
    ["rows as arrays", (text) => pool.query({ text, rowMode: "array" })],
    [
      "a client of one's own",
      async (text) => {
        const client = new pg.Client(server.url);
        await client.connect();
        const result = await client.query(text);
        await client.end();
        return result;
      },
    ],
    [
      "a query object",
      async (text) => {
        const client = await pool.connect();
        const query = new pg.Query(text);
        await new Promise((resolve, reject) => client.query(query).on("end", resolve).on("error", reject));
        client.release();
        return undefined;
      },
    ],
  ];
  test.each(forms)("%s is one operation with its rows, below the caller's span", async (_, run) => {
    const tracer = trace.getTracer("test");
    await tracer.startActiveSpan("caller", async (span) => {
      const result = (await run("SELECT n FROM generate_series(1, 3) n")) as { rowCount?: number } | undefined;
      if (result !== undefined) expect(result.rowCount).toBe(3);
      span.end();
    });
    expect(calls()).toHaveLength(1);
    expect(calls()[0]).toMatchObject({ rows: 3, errorType: undefined });
    expect(calls()[0]?.template).toMatchObject({
      system: "postgresql",
      namespace: server.database,
      operationName: "SELECT",
      effect: "read",
      serverAddress: "127.0.0.1",
      serverPort: server.port,
    });
    const caller = collected.spans.find(({ name }) => name === "caller");
    const query = collected.spans.find(({ name }) => name !== "caller");
    expect(query?.parentSpanContext?.spanId).toBe(caller?.spanContext().spanId);
  });

  test("several statements are one operation with the rows of all", async () => {
    await pool.query("SELECT 1; SELECT n FROM generate_series(1, 2) n");
    expect(calls().map(({ rows }) => rows)).toEqual([3]);
  });

  test("a cursor ends when it is closed, a stream when it has ended", async () => {
    const client = await pool.connect();
    const cursor = client.query(new Cursor("SELECT n FROM generate_series(1, 10) n"));
    await cursor.read(2);
    expect(calls()).toHaveLength(0);
    await cursor.close();
    await waitFor(() => calls().length === 1, "the cursor's operation");
    const stream = client.query(new QueryStream("SELECT n FROM generate_series(1, 10) n"));
    let rows = 0;
    for await (const row of stream) if (row) rows++;
    expect(rows).toBe(10);
    await waitFor(() => calls().length === 2, "the stream's operation");
    client.release();
    expect(calls().map(({ errorType }) => errorType)).toEqual([undefined, undefined]);
  });

  test("an error is the app's own, recorded once, with its SQLSTATE", async () => {
    await expect(pool.query("SELECT * FROM nowhere")).rejects.toMatchObject({ code: "42P01" });
    expect(calls()).toHaveLength(1);
    expect(calls()[0]).toMatchObject({ errorType: "42P01", statusCode: "42P01" });
    expect(collected.spans[0]?.status.code).toBe(SpanStatusCode.ERROR);
  });

  test("what never reaches the server fails too: a closed client, a broken query, a connection lost", async () => {
    const client = new pg.Client(server.url);
    await client.connect();
    const cut = client.query("SELECT pg_sleep(10)").catch((error: Error) => error.message);
    client.on("error", () => {});
    const gone = new Promise((resolve) => client.once("end", resolve));
    const terminate = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(10)'";
    // The server need not have seen the other connection's query yet.
    await expect.poll(() => pool.query(terminate).then(({ rows }) => rows.length)).toBe(1);
    expect(await cut).toMatch(/terminat/);
    await gone;
    await expect(client.query("SELECT 2")).rejects.toThrow("not queryable");
    expect(() => client.query("SELECT 3", [], "no function" as never)).toThrow("callback is not a function");
    expect(() => client.query(null as never)).toThrow("null or undefined");
    const [own, ended, refused, wrong] = [...calls()]
      .sort((a, b) => a.startMs - b.startMs)
      .filter(({ template }) => !template.queryText?.includes("terminate"));
    expect([own, ended, refused, wrong].map((call) => call?.errorType)).toEqual([
      "57P01",
      "Error",
      "TypeError",
      undefined,
    ]);
  });

  test("a timed out query fails once, also when its answer comes later", async () => {
    const client = new pg.Client({ connectionString: server.url, query_timeout: 50 });
    await client.connect();
    await expect(client.query("SELECT pg_sleep(0.2)")).rejects.toThrow("Query read timeout");
    await client.end();
    expect(calls().map(({ errorType }) => errorType)).toEqual(["Error"]);
  });

  test("a pool of one, shared by two requests: each query below its own, the wait on the one that waited", async () => {
    const single = new pg.Pool({ connectionString: server.url, max: 1 });
    await single.query("SELECT 1");
    collected.reset();
    const tracer = trace.getTracer("test");
    const contexts: (string | undefined)[] = [];
    const inRequest = (name: string, text: string): Promise<void> =>
      tracer.startActiveSpan(
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
    await Promise.all([inRequest("first", "SELECT pg_sleep(0.1)"), inRequest("second", "SELECT 2")]);
    expect(contexts).toEqual(["first", "second"]);
    const [slow, quick] = calls();
    const parentOf = (call: DatabaseOperation | undefined) =>
      collected.spans.find((span) => span.spanContext().spanId === call?.span?.spanContext().spanId)?.parentSpanContext
        ?.spanId;
    const idOf = (name: string) => collected.spans.find((span) => span.name === name)?.spanContext().spanId;
    expect([parentOf(slow), parentOf(quick)]).toEqual([idOf("first"), idOf("second")]);
    expect(slow?.waitMs).toBeLessThan(50);
    expect(quick?.waitMs).toBeGreaterThan(80);
    await single.end();
  });

  test("a transaction: every statement, BEGIN and COMMIT as control", async () => {
    const client = await pool.connect();
    await client.query("BEGIN");
    await client.query("CREATE TEMP TABLE t (n int)");
    await client.query("COMMIT");
    client.release();
    expect(calls().map(({ template }) => [template.querySummary, template.effect])).toEqual([
      ["BEGIN", "control"],
      ["CREATE TABLE t", "write"],
      ["COMMIT", "control"],
    ]);
  });

  test("queries that differ in literals share one template", async () => {
    await pool.query("SELECT 'a' WHERE 1 = 1");
    await pool.query("SELECT 'b' WHERE 2 = 1");
    expect(calls()[0]?.template).toBe(calls()[1]?.template);
    expect(calls()[0]?.template.queryText).not.toMatch(/'a'/);
  });

  test("disabled, the driver is itself again", async () => {
    const { query, _pulseQueryQueue } = pg.Client.prototype as unknown as Record<string, unknown>;
    const { connect } = pg.Pool.prototype;
    instrumentation.disable();
    await pool.query("SELECT 1");
    expect(summaries()).toEqual([]);
    const prototype = pg.Client.prototype as unknown as Record<string, unknown>;
    expect([prototype["query"], prototype["_pulseQueryQueue"], pg.Pool.prototype.connect]).not.toEqual([
      query,
      _pulseQueryQueue,
      connect,
    ]);
    expect(String(prototype["query"])).toContain("new Query(");
    instrumentation.enable();
    await pool.query("SELECT 1");
    expect(summaries()).toEqual(["SELECT"]);
  });
});

import { createRequire } from "node:module";
import { context, createContextKey, ROOT_CONTEXT } from "@opentelemetry/api";
import { addListener, type DatabaseOperation, readPools } from "@telltale/core";
import { describeWith } from "@telltale/test/describe-with";
import { type PostgresServer, startPostgres } from "@telltale/test/servers";
import { collect, type Collection } from "@telltale/testkit";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { Cursor, instrumentation, pg, QueryStream } from "./pg.js";

describeWith(["postgres"], "pg, at its edges", () => {
  let server: PostgresServer;
  let collected: Collection;
  beforeAll(async () => {
    server = await startPostgres();
    collected = collect();
  });
  afterEach(() => collected.reset());
  afterAll(async () => {
    collected.stop();
    await server.stop();
  });
  const calls = () => collected.operations as readonly DatabaseOperation[];
  const connected = async (): Promise<import("pg").Client> => {
    const client = new pg.Client(server.url);
    await client.connect();
    return client;
  };

  test("an older pg, whose queue has another name", async () => {
    const old = createRequire(new URL("../../../.old-majors/package.json", import.meta.url))(
      "pg",
    ) as typeof import("pg");
    const pool = new old.Pool({ connectionString: server.url, max: 1 });
    const results = await Promise.all([pool.query("SELECT 1 AS n"), pool.query("SELECT $1::int AS n", [2])]);
    expect(results.map(({ rows }) => rows)).toEqual([[{ n: 1 }], [{ n: 2 }]]);
    await expect(pool.query("SELECT nope")).rejects.toMatchObject({ code: "42703" });
    expect(calls().map(({ errorType, rows }) => [errorType, rows])).toEqual([
      [undefined, 1],
      [undefined, 1],
      ["42703", undefined],
    ]);
    expect(calls()[1]?.waitMs).toBeGreaterThan(0);
    await pool.end();
    expect(readPools()).toEqual([]);
  });

  test("a stream counts all its rows, a cursor those it was asked for", async () => {
    const client = await connected();
    const stream = client.query(new QueryStream("SELECT n FROM generate_series(1, 250) n"));
    let seen = 0;
    for await (const row of stream) if (row) seen++;
    await client.query("SELECT 1");
    const cursor = client.query(new Cursor("SELECT n FROM generate_series(1, 250) n"));
    await cursor.read(10);
    await cursor.read(10);
    await cursor.close();
    expect([seen, ...calls().map(({ rows }) => rows)]).toEqual([250, 250, 1, 20]);
    await client.end();
  });

  test("a cursor calls back in its caller's context", async () => {
    const key = createContextKey("caller");
    const client = await connected();
    const seen = await context.with(ROOT_CONTEXT.setValue(key, "me"), () => {
      const cursor = client.query(new Cursor("SELECT n FROM generate_series(1, 250) n")) as unknown as {
        read(rows: number, done: () => void): void;
      };
      return new Promise<unknown[]>((resolve) => {
        cursor.read(10, () => {
          const first = context.active().getValue(key);
          cursor.read(10, () => resolve([first, context.active().getValue(key)]));
        });
      });
    });
    expect(seen).toEqual(["me", "me"]);
    await client.end();
  });

  /** A query object of a class of its own. */
  class Own {
    readonly text: string;
    readonly callback = () => {};
    ready = 0;
    done = () => {};
    constructor(text: string) {
      this.text = text;
    }
    submit(connection: { query(text: string): void }): void {
      connection.query(this.text);
    }
    handleRowDescription(_message: unknown): void {}
    handleDataRow(_message: unknown): void {}
    handleCommandComplete(_message: { text: string }, _connection: unknown): void {}
    handleReadyForQuery(_connection: unknown): void {
      this.ready++;
      this.done();
    }
    handleError(_error: unknown): void {}
  }
  const submit = (client: import("pg").Client, own: Own) =>
    new Promise<void>((resolve) => {
      own.done = resolve;
      client.query(own as never);
    });

  test("a query object that cannot be listened to passes through", async () => {
    const client = await connected();
    const sealed = Object.seal(new Own("SELECT 1"));
    await submit(client, sealed);
    const cursor = client.query(Object.preventExtensions(new Cursor("SELECT n FROM generate_series(1, 5) n")));
    expect([sealed.ready, (await cursor.read(3)).length]).toEqual([1, 3]);
    await cursor.close();
    expect(calls()).toHaveLength(0);
    await client.end();
  });

  test("a query object may be submitted as often as the app likes", async () => {
    const client = await connected();
    const own = new Own("SELECT 1");
    const before = Reflect.ownKeys(own);
    for (let n = 0; n < 3; n++) await submit(client, own);
    expect([own.ready, calls().length]).toEqual([3, 3]);
    // Nothing of ours is left to be called the next time, or there would soon be too much of it for the stack.
    expect(Reflect.ownKeys(own)).toEqual(before);
    // The second time while the first still runs.
    client.query(own as never);
    client.query(own as never);
    await client.query("SELECT 2");
    expect(own.ready).toBe(5);
    await client.end();
  });

  test("who looks at a query object while it runs sees what is its own", async () => {
    const client = await connected();
    const see = (object: object) =>
      Object.entries(object).map(([key, value]) =>
        typeof value === "function" ? [key, value.name, value.length] : key,
      );
    for (const object of [new Own("SELECT 1"), new Cursor("SELECT 1"), new QueryStream("SELECT 1")]) {
      const before = see(object);
      client.query(object as never);
      const during = see(object);
      expect(during).toEqual(before);
      expect((object as Own).handleDataRow.name).toMatch(/handleDataRow$/);
      if (object instanceof Cursor) await object.read(10);
      if (object instanceof QueryStream) object.resume();
      await client.query("SELECT 1");
    }
    await client.end();
  });

  test("a query object of a class of one's own counts the rows that the server counts", async () => {
    class Query extends pg.Query {}
    const client = await connected();
    await client.query("CREATE TEMP TABLE things (n int)");
    collected.reset();
    const inserted = client.query(new Query("INSERT INTO things SELECT generate_series(1, 7)"));
    await new Promise((resolve) => inserted.once("end", resolve));
    // As pg-copy-streams keeps what the server said.
    class Copying extends Own {
      rowCount = 0;
      override handleCommandComplete({ text }: { text: string }): void {
        this.rowCount = Number(text.split(" ").at(-1));
      }
    }
    await submit(client, new Copying("UPDATE things SET n = 0 WHERE n > 2"));
    expect(calls().map(({ rows }) => rows)).toEqual([7, 5]);
    await client.end();
  });

  test("texts without an end in sight do not fill the memory", async () => {
    const { findPostgresqlTarget } = await import("@telltale/core");
    const target = findPostgresqlTarget("pg", "db", 5432, "many", undefined);
    const wide = (query: number) =>
      `SELECT ${Array.from({ length: 10_000 }, (_, n) => `column_of_query_${query}_${n}`).join(", ")} FROM wide`;
    const first = target.templateOf(wide(0));
    expect(target.templateOf(wide(0))).toBe(first);
    for (let query = 1; query < 110; query++) target.templateOf(wide(query));
    expect(target.templateOf(wide(0))).not.toBe(first);
  });

  test("what a getter of the app's own throws reaches it as it does alone; what our clock throws does not", async () => {
    const pool = new pg.Pool({ connectionString: server.url, max: 1 });
    const error = new Error("expected");
    const config = {
      get text(): string {
        throw error;
      },
    };
    for (let n = 0; n < 3; n++) await expect(pool.query(config)).rejects.toBe(error);
    const client = await pool.connect();
    const clock = vi.spyOn(performance, "now").mockImplementation(() => {
      throw new Error("expected by the test");
    });
    try {
      client.release();
    } finally {
      clock.mockRestore();
    }
    expect((await pool.query("SELECT 1 AS n")).rows).toEqual([{ n: 1 }]);
    expect(calls().at(-1)?.template.querySummary).toBe("SELECT");
    await pool.end();
  });

  test("connecting with a callback to a pool that has ended returns what the callback returns", async () => {
    const pool = new pg.Pool({ connectionString: server.url });
    await pool.end();
    const connect = pool.connect.bind(pool) as unknown as (callback: (error: Error) => number) => unknown;
    expect(connect(() => 42)).toBe(42);
  });

  test("parameters tell calls of one shape apart, by text and by values", async () => {
    const client = await connected();
    const seen: string[] = [];
    const stop = addListener({
      name: "parameters",
      operationEnded(operation) {
        const { text, parameters } = operation as DatabaseOperation;
        seen.push(JSON.stringify([text, parameters]));
      },
    });
    await client.query("SELECT 1 WHERE 1 = 1", []);
    await client.query("SELECT 1 WHERE 2 = 1", []);
    await client.query("SELECT 1 WHERE $1::int > 0", [1]);
    await client.query("SELECT 1 WHERE $1::int > 0", [2]);
    await client.query({ text: "SELECT 1 WHERE $1::int > 0", values: [2] });
    stop();
    expect(new Set(seen).size).toBe(4);
    await client.end();
  });

  test("disabled, pools leave the gauges; enabled again, they come back once; a name is free when its pool has ended", async () => {
    const pool = new pg.Pool({ connectionString: server.url, max: 2 });
    await pool.query("SELECT 1");
    expect(readPools()).toHaveLength(1);
    instrumentation.disable();
    expect(readPools()).toEqual([]);
    instrumentation.enable();
    await Promise.all([pool.query("SELECT 1"), pool.query("SELECT 1")]);
    expect(readPools()).toHaveLength(1);
    await pool.end();
    const next = new pg.Pool({ connectionString: server.url });
    await next.query("SELECT 1");
    expect(readPools().map(({ pool: { name } }) => name)).toEqual([`127.0.0.1:${server.port}/${server.database}`]);
    await next.end();
  });

  test("wrapped by somebody else, it is off when disabled and heard once when enabled", async () => {
    const client = await connected();
    const prototype = pg.Client.prototype as unknown as { query: (...args: unknown[]) => unknown };
    const ours = prototype.query;
    prototype.query = function wrapper(...args) {
      return ours.apply(this, args);
    };
    instrumentation.disable();
    await client.query("SELECT 1");
    expect(calls()).toHaveLength(0);
    instrumentation.enable();
    await client.query("SELECT 1");
    expect(calls()).toHaveLength(1);
    await client.end();
  });
});

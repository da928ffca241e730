import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createServer, get } from "node:http";
import type { AddressInfo } from "node:net";
import { createInsights } from "@telltale/insights";
import { httpInstrumentation } from "@telltale/instrumentation-http";
import { pgInstrumentation } from "@telltale/instrumentation-pg";
import { collect, expectNoFindings, expectQueryCount } from "@telltale/testkit";
import "@telltale/testkit/vitest";
import type { Pool } from "pg";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { describeWith } from "../describe-with.js";
import { type PostgresServer, startPostgres } from "../servers/index.js";

const instrumentations = [pgInstrumentation(), httpInstrumentation()];
for (const instrumentation of instrumentations) instrumentation.enable();
const source = readFileSync(new URL(import.meta.url), "utf8");
const pg = createRequire(import.meta.url)("pg") as typeof import("pg");

describeWith(["postgres"], "expectations, with a PostgreSQL", () => {
  let server: PostgresServer;
  let pool: Pool;
  let stop = (): void => {};
  beforeAll(async () => {
    server = await startPostgres();
    pool = new pg.Pool({ connectionString: server.url, max: 2 });
    await pool.query("CREATE TABLE orders AS SELECT id FROM generate_series(1, 30) id");
    await pool.query("CREATE TABLE items AS SELECT id, id AS order_id FROM generate_series(1, 30) id");
    ({ stop } = collect([createInsights({ slowQueryMs: 2_000 })]));
  });
  afterAll(async () => {
    stop();
    await pool.end();
    await server.stop();
    for (const instrumentation of instrumentations) instrumentation.disable();
  });

  const allOrders = async (): Promise<number[]> =>
    (await pool.query<{ id: number }>("SELECT id FROM orders")).rows.map(({ id }) => id);
  async function loop(): Promise<void> {
    for (const id of await allOrders()) await pool.query("SELECT * FROM items WHERE order_id = $1", [id]);
  }
  async function batch(): Promise<string> {
    await pool.query("SELECT * FROM items WHERE order_id = ANY ($1)", [await allOrders()]);
    return "batched";
  }
  const ask = (url: string): Promise<void> =>
    new Promise((resolve, reject) => {
      get(url, { agent: false }, (response) => response.resume().on("end", resolve)).on("error", reject);
    });
  async function served(work: () => Promise<unknown>): Promise<{ url: string; close(): void }> {
    const http = createServer((_, response) => void work().then(() => response.end()));
    await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
    return { url: `http://127.0.0.1:${(http.address() as AddressInfo).port}/`, close: () => http.close() };
  }
  const messageOf = (run: Promise<unknown>): Promise<string> =>
    run.then(
      () => "",
      (error: Error) => error.message,
    );

  test("a clock that the test has replaced is not the clock of calls", async () => {
    vi.useFakeTimers();
    try {
      await expectQueryCount(loop, 31);
      await expectNoFindings(async () => {
        const asked = pool.query("SELECT count(*) FROM orders");
        vi.advanceTimersByTime(60_000);
        await asked;
      });
    } finally {
      vi.useRealTimers();
    }
  });

  describe("expectNoFindings", () => {
    test("gives what was run", async () => {
      expect(await expectNoFindings(batch)).toBe("batched");
    });

    test("fails with what was found in a function that is called by nobody but the test", async () => {
      const message = await messageOf(expectNoFindings(loop, { name: "orders" }));
      expect(message).toMatch(/^expected no findings, got 1:\n {2}n_plus_one: TEST orders runs SELECT items 30 times /);
      expect(message).toContain("WHERE key = ANY($1)");
    });

    test("fails with what was found in a request that was served meanwhile", async () => {
      const { url, close } = await served(loop);
      expect(await messageOf(expectNoFindings(() => ask(url)))).toContain("n_plus_one: GET runs SELECT items 30 times");
      close();
    });

    test("does not count what is ignored, or of another kind", async () => {
      await expectNoFindings(loop, { kinds: ["slow_query"] });
      await expectNoFindings(loop, { ignore: ({ querySummary }) => querySummary === "SELECT items" });
    });

    test("does not blame a test for calling a service often", async () => {
      const { url, close } = await served(() => pool.query("SELECT 1"));
      await expectNoFindings(async () => {
        for (let n = 0; n < 10; n++) await ask(`${url}${n}`);
      });
      close();
    });

    test("fails where nothing was heard, and says what is heard", async () => {
      const message = await messageOf(expectNoFindings(() => {}));
      expect(message).toMatch(
        /^no request was served and no database called, so nothing could be found; heard are .*pg 8/,
      );
    });

    test("lets what is run fail itself", async () => {
      await expect(expectNoFindings(() => Promise.reject(new TypeError("own")))).rejects.toThrow(TypeError);
    });
  });

  describe("expectQueryCount", () => {
    test("counts queries, and neither BEGIN nor COMMIT", async () => {
      const client = await pool.connect();
      const result = await expectQueryCount(async () => {
        await client.query("BEGIN");
        const { rows } = await client.query("SELECT 7 AS seven");
        await client.query("COMMIT");
        return rows;
      }, 1);
      client.release();
      expect(result).toEqual([{ seven: 7 }]);
      await expectQueryCount(loop, { atLeast: 31, atMost: 31 });
      await expectQueryCount(() => {}, 0);
    });

    test("lists what ran by shape, and from where", async () => {
      const message = await messageOf(expectQueryCount(loop, 2));
      const [first, many, manyAt, one, oneAt, ...more] = message.split("\n");
      expect(first).toBe("expected 2 queries, got 31:");
      expect(many).toBe("  30 × SELECT * FROM items WHERE order_id = $1");
      expect(one).toBe("  1 × SELECT id FROM orders");
      expect(more).toEqual([]);
      const line = (text: string): number => 1 + source.slice(0, source.indexOf(text)).split("\n").length - 1;
      expect(manyAt).toMatch(
        new RegExp(
          `^ {6}from test/src/testkit/expectations\\.test\\.ts:${line("for (const id of await")}:\\d+ \\(loop\\)$`,
        ),
      );
      expect(oneAt).toMatch(
        new RegExp(
          `^ {6}from test/src/testkit/expectations\\.test\\.ts:${line("(await pool.query<{ id")}:\\d+ \\(allOrders\\)$`,
        ),
      );
    });

    test("counts queries that a request ran", async () => {
      const { url, close } = await served(batch);
      await expectQueryCount(() => ask(url), 2);
      close();
    });

    test.each<[count: Parameters<typeof expectQueryCount>[1], expected: string]>([
      [1, "expected 1 query, got 2:"],
      [{ atMost: 1 }, "expected at most 1 query, got 2:"],
      [{ atLeast: 3 }, "expected at least 3 queries, got 2:"],
      [{ atLeast: 3, atMost: 5 }, "expected 3 to 5 queries, got 2:"],
    ])("%j", async (count, expected) => {
      expect((await messageOf(expectQueryCount(batch, count))).split("\n")[0]).toBe(expected);
    });

    test.each([-1, Number.NaN, { atLeast: 2, atMost: 1 }, "2" as never])(
      "%j is no number of queries",
      async (count) => {
        await expect(expectQueryCount(batch, count)).rejects.toThrow(/a number of queries, or \{ atLeast, atMost \}/);
      },
    );

    test("counts failed queries, too", async () => {
      await expectQueryCount(() => pool.query("SELECT 1/0").catch(() => {}), 1);
    });

    test("says what has not ended", async () => {
      // The one before has cost the pool its connection.
      await pool.query("SELECT 1");
      let late: Promise<unknown> = Promise.resolve();
      const run = expectQueryCount(() => void (late = pool.query("SELECT pg_sleep(1.3)")), 1);
      await expect(run).rejects.toThrow("waited 1000 ms for the end of SELECT");
      await late;
    });
  });

  describe("matchers", () => {
    test("pass and fail as the expectations do", async () => {
      await expect(batch).toHaveNoFindings();
      await expect(loop).not.toHaveNoFindings();
      await expect(batch).toRunQueries(2);
      await expect(batch).not.toRunQueries({ atMost: 1 });
      const { currentTestName } = expect.getState();
      expect(await messageOf(expect(loop).toHaveNoFindings())).toContain(
        `TEST ${currentTestName} runs SELECT items 30`,
      );
      expect(await messageOf(expect(loop).toRunQueries(2))).toContain("expected 2 queries, got 31:\n  30 × SELECT");
      expect(await messageOf(expect(batch).not.toRunQueries(2))).toBe("expected another number of queries than 2");
      expect(await messageOf(expect(batch).not.toHaveNoFindings())).toBe("expected findings, got none");
    });

    test("need a function", async () => {
      expect(await messageOf(expect(await batch()).toRunQueries(2))).toBe(
        "toRunQueries needs a function that it can run: await expect(() => …).toRunQueries(…)",
      );
    });

    test("do not pass where nothing was heard, however they are asked", async () => {
      expect(await messageOf(expect(() => {}).toHaveNoFindings())).toContain("nothing could be found");
      expect(await messageOf(expect(() => {}).not.toHaveNoFindings())).toContain("nothing could be found");
    });
  });
});

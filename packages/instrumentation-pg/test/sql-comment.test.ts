import { createRequire } from "node:module";
import { describeWith } from "@telltale/test/describe-with";
import { type PostgresServer, startPostgres } from "@telltale/test/servers";
import { collectOperations, type OperationCollection } from "@telltale/testkit";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { pgInstrumentation } from "../src/index.js";
import { addComment, writeComment } from "../src/sql-comment.js";

const C = "/*application='a%20shop',db_driver='pg'*/";
const instrumentation = pgInstrumentation({ sqlTags: { db_driver: "pg", application: "a shop" } });
instrumentation.enable();
const require = createRequire(import.meta.url);
const pg = require("pg") as typeof import("pg");
const Cursor = require("pg-cursor") as new (text: string) => import("pg").Submittable & {
  read(rows: number): Promise<unknown[]>;
  close(): Promise<void>;
};

describe("a comment", () => {
  test.each<[tags: Record<string, string>, comment: string]>([
    [{}, ""],
    [{ a: "" }, ""],
    [{ b: "2", a: "1" }, " /*a='1',b='2'*/"],
    [{ a: "it's */ DROP TABLE t; --" }, " /*a='it%27s%20%2A%2F%20DROP%20TABLE%20t%3B%20--'*/"],
    [{ "a*/": "é\ud800" }, " /*a%2A%2F='%C3%A9%EF%BF%BD'*/"],
  ])("%j", (tags, comment) => {
    expect(writeComment(tags)).toBe(comment);
  });

  test("whatever the tags are, it is one comment", () => {
    const value = fc.string({ unit: "binary" });
    fc.assert(
      fc.property(fc.dictionary(value, value), (tags) => {
        expect(writeComment(tags)).toMatch(/^$|^ \/\*(?:[^*'/]*='[^*'/]*',?)+\*\/$/);
      }),
    );
  });

  test.each<[text: string, commented: string]>([
    ["SELECT 1", `SELECT 1 ${C}`],
    ["SELECT 1;", `SELECT 1 ${C};`],
    ["SELECT 1 ;\n ; ", `SELECT 1 ${C} ;\n ; `],
    ["SELECT ';'", `SELECT ';' ${C}`],
    ["SELECT 1; SELECT 2;", `SELECT 1; SELECT 2 ${C};`],
    ["SELECT 1 -- why", "SELECT 1 -- why"],
    ["SELECT 1 -- why\n", "SELECT 1 -- why\n"],
    ["SELECT /* one */ 1", "SELECT /* one */ 1"],
    ["SELECT '--'", "SELECT '--'"],
    ["", ""],
    [" ;", " ;"],
  ])("at the end of %j", (text, commented) => {
    expect(addComment(text, ` ${C}`)).toBe(commented);
  });
});

describeWith(["postgres"], "texts with a comment", () => {
  let server: PostgresServer;
  let client: InstanceType<typeof pg.Client>;
  let heard: OperationCollection;

  beforeAll(async () => {
    server = await startPostgres({ settings: { log_statement: "all" } });
    heard = collectOperations();
    client = new pg.Client({ connectionString: server.url });
    await client.connect();
  });
  afterAll(async () => {
    await client.end();
    heard.stop();
    instrumentation.disable();
    await server.stop();
  });

  /** What the server was sent. */
  async function arrived(mark: string): Promise<string[]> {
    const lines = (await server.log()).split("\n").filter((line) => line.includes(mark) && !line.includes("DETAIL"));
    return lines.map((line) => line.replace(/^.*?(?:statement|execute [^:]*): /, ""));
  }

  test("arrive in every form, with the same results, and change nothing that the app has", async () => {
    const config = Object.freeze({ text: "SELECT 1 AS of_config", rowMode: "array" as const });
    const pool = new pg.Pool({ connectionString: server.url, max: 1 });
    expect((await client.query("SELECT 1 AS plain")).rows).toEqual([{ plain: 1 }]);
    expect((await client.query("SELECT $1::int AS bound;", [2])).rows).toEqual([{ bound: 2 }]);
    expect((await client.query({ ...config })).rows).toEqual([[1]]);
    expect((await pool.query("SELECT 3 AS pooled")).rows).toEqual([{ pooled: 3 }]);
    expect(await new Promise((resolve) => client.query("SELECT 4 AS called", (_, { rows }) => resolve(rows)))).toEqual([
      { called: 4 },
    ]);
    expect((await client.query("SELECT 5 AS many; SELECT 6")) as unknown).toHaveLength(2);
    await pool.end();
    expect(await arrived("plain")).toEqual([`SELECT 1 AS plain ${C}`]);
    expect(await arrived("AS bound")).toEqual([`SELECT $1::int AS bound ${C};`]);
    expect(await arrived("of_config")).toEqual([`SELECT 1 AS of_config ${C}`]);
    expect(await arrived("pooled")).toEqual([`SELECT 3 AS pooled ${C}`]);
    expect(await arrived("called")).toEqual([`SELECT 4 AS called ${C}`]);
    expect(await arrived("many")).toEqual([`SELECT 5 AS many; SELECT 6 ${C}`]);
    // What is recorded is what the app wrote.
    expect(heard.operations.map((operation) => operation.kind === "database" && operation.text)).toContain(
      "SELECT 1 AS plain",
    );
  });

  test("are not those that are prepared by name, nor cursors, nor what has a comment of its own", async () => {
    for (let n = 0; n < 2; n++) await client.query({ name: "kept", text: "SELECT 1 AS named" });
    const cursor = client.query(new Cursor("SELECT 1 AS by_cursor"));
    await cursor.read(1);
    await cursor.close();
    await client.query("SELECT 1 AS own -- comment");
    await client.query("SELECT 1 AS other /* comment */");
    for (const mark of ["AS named", "by_cursor", "AS own", "AS other"]) {
      const texts = await arrived(mark);
      expect(texts.length, mark).toBeGreaterThan(0);
      expect(texts.join("\n"), mark).not.toContain("db_driver");
    }
  });

  test("fail as they do without", async () => {
    await expect(client.query("SELEC 1")).rejects.toMatchObject({ code: "42601", position: "1" });
    for (const open of ["SELECT 'open", 'SELECT "open', "SELECT $$open", "SELECT E'open\\"]) {
      await expect(client.query(open), open).rejects.toMatchObject({ code: "42601" });
    }
    expect((await client.query("")).rows).toEqual([]);
  });
});

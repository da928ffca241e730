import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { addListener, databaseUsed, type DatabaseOperation, lastSiteOf, readPools, wantSite } from "@telltale/core";
import { describeWith } from "@telltale/test/describe-with";
import { type MariadbServer, startMariadb } from "@telltale/test/servers";
import { collect, type Collection } from "@telltale/testkit";
import type { Connection, Pool } from "mysql2";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { keepsShape } from "../src/query-text.js";
import { instrumentation, type Release, releases } from "./mysql2.js";

const newest = releases[1] as Release;

test.each([
  ["SELECT ?", [1], true],
  ["SELECT ?", ["a"], true],
  ["SELECT ?, ?, ?", [null, new Date(0), Buffer.from("a")], true],
  ["SELECT 1", [], true],
  ["SELECT ? IN (?)", [1, [1, 2]], false],
  ["INSERT INTO t SET ?", [{ a: 1 }], false],
  ["SELECT ??", ["a"], false],
  ["SELECT ?", "a", false],
  ["SELECT 1", undefined, false],
])("the shape of %j with %j is that of its text: %j", (sql, values, kept) => {
  expect(keepsShape(sql, values)).toBe(kept);
});

test.each([
  ["USE shop", "shop"],
  ["use `my ``shop`", "my `shop"],
  ["\n USE shop;", "shop"],
  ["SELECT 'USE shop'", undefined],
  [undefined, undefined],
])("%j leads to %j", (text, database) => {
  expect(databaseUsed(text)).toBe(database);
});

// The driver can be a server as well: one that says what a MySQL says, as there is none to be had here.
async function greet(serverVersion: string, isAwake = () => true) {
  const server = newest.driver.createServer((connection) => {
    connection.on("error", () => {});
    if (!isAwake()) return;
    connection.on("query", () => (connection as unknown as { writeOk(): void }).writeOk());
    connection.serverHandshake({
      protocolVersion: 10,
      serverVersion,
      connectionId: 1,
      statusFlags: 2,
      characterSet: 8,
      capabilityFlags: 0xffffff ^ 0x800,
      authCallback: (_: unknown, callback: (error: null) => void) => callback(null),
    } as never);
  });
  const listening = (server as unknown as { _server: import("node:net").Server })._server;
  server.listen(0);
  await once(listening, "listening");
  return { port: (listening.address() as AddressInfo).port, close: () => listening.close() };
}

describe("servers", () => {
  test.each([
    ["8.4.6", "mysql"],
    ["5.7.44-log", "mysql"],
    ["11.8.3-MariaDB-log", "mariadb"],
    ["5.5.5-10.6.22-MariaDB-1:10.6.22+maria~ubu2204", "mariadb"],
  ])("one that greets as %s is %s", async (version, system) => {
    const heard: DatabaseOperation[] = [];
    const stop = addListener({
      name: "test",
      operationEnded: (operation) => void heard.push(operation as DatabaseOperation),
    });
    const server = await greet(version);
    for (const { driver } of releases) {
      const connection = driver.createConnection({ host: "127.0.0.1", port: server.port, user: "me" });
      // The first is asked before anybody knows which server it is.
      for (let n = 0; n < 2; n++) {
        await new Promise((resolve) => connection.query("DO 1", resolve));
      }
      connection.destroy();
    }
    server.close();
    stop();
    expect(heard.map(({ template, errorType }) => [template.system, errorType])).toEqual(
      Array.from({ length: 4 }, () => [system, undefined]),
    );
  });
});

test("a pool that did not reach its server learns later which it is", async () => {
  let isAwake = false;
  const server = await greet("11.8.3-MariaDB", () => isAwake);
  const name = `127.0.0.1:${server.port}/`;
  const pool = newest.driver.createPool({ host: "127.0.0.1", port: server.port, connectTimeout: 100, user: "me" });
  await expect(pool.promise().query("DO 1")).rejects.toMatchObject({ code: "ETIMEDOUT" });
  const seen = () => readPools().map(({ pool: { name, system } }) => [name, system]);
  expect(seen()).toEqual([[name, "mysql"]]);
  isAwake = true;
  await pool.promise().query("DO 1");
  expect(seen()).toEqual([[name, "mariadb"]]);
  pool.end();
  server.close();
});

describeWith(["mariadb"], "mysql2, at its edges", () => {
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
  const options = () => {
    const { host, port, user, password, database } = server;
    return { host, port, user, password, database };
  };

  describe.each(releases)("$name", ({ driver }) => {
    let pool: Pool;
    let connection: Connection;
    beforeAll(async () => {
      connection = driver.createConnection(options());
      pool = driver.createPool({ ...options(), connectionLimit: 1 });
      await connection.promise().query("DO 1");
      collected.reset();
    });
    afterAll(async () => {
      await connection.promise().end();
      await pool.promise().end();
    });
    const ended = (command: unknown) => once(command as NodeJS.EventEmitter, "end");

    test("what a call returns is the driver's own, with nothing on it that can be seen", async () => {
      const seen = (run: () => unknown) => {
        const command = run() as NodeJS.EventEmitter & { onResult: unknown };
        const sight = [
          command.constructor.name,
          Reflect.ownKeys(command).filter((name) => name !== "next"),
          command.eventNames(),
          typeof command.onResult,
        ];
        return [sight, ended(command)] as const;
      };
      const callback = () => {};
      const ways = [
        () => connection.query("SELECT 1"),
        () => connection.query("SELECT 1", callback),
        () => connection.execute("SELECT 1", callback),
        () => pool.query("SELECT 1", callback),
      ];
      const look = async () => {
        const sights = [];
        for (const way of ways) {
          const [sight, end] = seen(way);
          sights.push(sight);
          await end;
        }
        return sights;
      };
      // A statement that is prepared already is sent at once.
      await look();
      collected.reset();
      const watched = await look();
      instrumentation.disable();
      const alone = await look();
      instrumentation.enable();
      expect(watched).toEqual(alone);
      expect(calls()).toHaveLength(ways.length);
    });

    test("callbacks get what they would get alone: as many arguments, and the same this", async () => {
      const look = async () => {
        const sights: unknown[] = [];
        const ask = (method: "query" | "execute", text: string) =>
          new Promise<void>((resolve) => {
            connection[method](text, function (
              this: { constructor: { name: string } } | undefined,
              ...args: unknown[]
            ) {
              sights.push([
                method,
                text,
                args.length,
                this?.constructor.name,
                (args[0] as Error | null)?.message,
                args[1],
              ]);
              resolve();
            } as never);
          });
        for (const method of ["query", "execute"] as const) {
          for (const text of ["SELECT 1 AS one", "DO 1", "SELECT nope", "SELEC"]) await ask(method, text);
        }
        await new Promise<void>((resolve) =>
          pool.getConnection(function (this: unknown, ...args: unknown[]) {
            sights.push([args.length, this ?? "none"]);
            (args[1] as { release(): void }).release();
            resolve();
          } as never),
        );
        return sights;
      };
      const watched = await look();
      instrumentation.disable();
      const alone = await look();
      instrumentation.enable();
      expect(watched).toEqual(alone);
      expect(calls()).toHaveLength(8);
    });

    test("the text that an app formats for itself is no query's", async () => {
      expect(connection.format("SELECT ?", ["a"])).toBe("SELECT 'a'");
      await connection.promise().query("SELECT 'a'");
      expect(calls()[0]).toMatchObject({ text: "SELECT 'a'" });
    });

    test("with a way of its own to write values, only what is sent is known", async () => {
      const own = driver.createConnection({
        ...options(),
        queryFormat: (sql: string, values: Record<string, string>) =>
          sql.replaceAll(/\$(\w+)/g, (_, name: string) => connection.escape(values?.[name])),
      } as never);
      await own.promise().query("SELECT seq FROM seq_1_to_2 WHERE seq = $n", { n: "s3cret" });
      expect(calls()[0]?.template.queryText).toBe("SELECT seq FROM seq_1_to_2 WHERE seq = ?");
      await own.promise().end();
    });

    test("a site leads to where the app called, through promises and pools", async () => {
      const ask = [
        () => connection.promise().query("SELECT 'site'"),
        () => pool.promise().query("SELECT 'site'"),
        () => pool.promise().execute("SELECT 'site'"),
      ];
      for (const run of ask) {
        await run();
        const template = calls().at(-1)?.template;
        if (template === undefined) throw new Error("no operation");
        wantSite(template, performance.now() + 1e9 * ask.indexOf(run));
        await run();
        expect(calls().at(-1)?.site?.file ?? lastSiteOf(template)?.file).toMatch(/edges\.test\.ts$/);
      }
    });

    test("wrapped by somebody else, it is off when disabled and heard once when enabled", async () => {
      const prototype = driver.Connection.prototype as unknown as { query: (...args: unknown[]) => unknown };
      const own = Object.getOwnPropertyDescriptor(prototype, "query");
      const ours = prototype.query;
      prototype.query = function wrapper(...args) {
        return ours.apply(this, args);
      };
      instrumentation.disable();
      await connection.promise().query("SELECT 1");
      expect(calls()).toHaveLength(0);
      instrumentation.enable();
      await connection.promise().query("SELECT 1");
      expect(calls()).toHaveLength(1);
      if (own === undefined) Reflect.deleteProperty(prototype, "query");
      else Object.defineProperty(prototype, "query", own);
    });
  });
});

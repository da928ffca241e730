import { createRequire } from "node:module";
import { type OtlpReceiver, startOtlpReceiver } from "@telltale/testkit";
import type { Sql } from "postgres";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { describeWith } from "./describe-with.js";
import { scrape, sumOf } from "./scrape.js";
import { type MariadbServer, type PostgresServer, startMariadb, startPostgres } from "./servers/index.js";
import { serviceWays, startService, type WatchedService } from "./watched-service.js";

const require = createRequire(import.meta.url);
const mysql = require("mysql2/promise") as typeof import("mysql2/promise");
const postgres = require("postgres") as typeof import("postgres");
const ways = await serviceWays();

describeWith(["mariadb", "postgres"], "an unmodified service with postgres.js and mariadb", () => {
  let mariadb: MariadbServer;
  let postgresql: PostgresServer;
  let receiver: OtlpReceiver;
  let admin: Sql;
  beforeAll(async () => {
    [mariadb, postgresql, receiver] = await Promise.all([startMariadb(), startPostgres(), startOtlpReceiver()]);
    admin = postgres(postgresql.url, { max: 1, connection: { application_name: "admin" } });
    const create = "CREATE TABLE things (id int PRIMARY KEY, name varchar(20))";
    const own = await mysql.createConnection(mariadb.url);
    await Promise.all([own.query(create), admin.unsafe(create)]);
    await own.end();
  });
  afterAll(async () => {
    await admin?.end();
    await Promise.all([receiver?.close(), mariadb?.stop(), postgresql?.stop()]);
  });

  describe.each(ways)("$program on Node $version", ({ binary, program }) => {
    let service: WatchedService;
    beforeAll(async () => {
      service = await startService(`more-drivers/${program}`, binary, receiver, {
        DATABASE_URL: postgresql.url,
        MYSQL_URL: mariadb.url,
      });
    });
    beforeEach(() => receiver.reset());
    afterAll(() => service.stop());

    test.each([
      ["/postgres", "GET\n  SELECT things"],
      ["/returned", "GET\n  SELECT things"],
      ["/transaction", "GET\n  BEGIN\n  UPDATE things\n  SELECT\n  COMMIT"],
      ["/mariadb", "GET\n  SELECT things"],
    ])("%s: each query is below the request that it was made for", async (path, drawn) => {
      expect(await service.traceOf(path, drawn.split("\n").length)).toBe(drawn);
      expect(JSON.stringify(receiver.spans.map(({ attributes, status }) => [attributes, status]))).not.toContain(
        "s3cret",
      );
    });

    test("two requests at once: no query lands in the other's trace, and the page knows the pools", async () => {
      await Promise.all([fetch(`${service.url}/both`), fetch(`${service.url}/both`)]);
      await receiver.waitForSpans((received) => received.length >= 22);
      for (const { spanId, traceId } of receiver.spans.filter(({ parentSpanId }) => parentSpanId === undefined)) {
        const below = receiver.spans.filter(({ parentSpanId }) => parentSpanId === spanId);
        expect(below).toHaveLength(10);
        expect(new Set(below.map((span) => span.traceId))).toEqual(new Set([traceId]));
      }
      const page = await scrape(service.metricsUrl);
      const open = (server: { port: number; database: string }) =>
        sumOf(
          page,
          "db_client_connection_count",
          `db_client_connection_pool_name="127.0.0.1:${server.port}/${server.database}"`,
        );
      const [backends] = await admin`
        SELECT count(*)::int AS n FROM pg_stat_activity WHERE application_name = 'postgres.js'`;
      expect([open(postgresql), open(mariadb)]).toEqual([backends?.n, 2]);
    });
  });
});

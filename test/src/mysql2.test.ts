import { createRequire } from "node:module";
import { type OtlpReceiver, startOtlpReceiver } from "@telltale/testkit";
import type { Connection } from "mysql2/promise";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { describeWith } from "./describe-with.js";
import { scrape, type Scraped, sumOf } from "./scrape.js";
import { type MariadbServer, startMariadb } from "./servers/index.js";
import { serviceWays, startService, type WatchedService } from "./watched-service.js";

const mysql = createRequire(import.meta.url)("mysql2/promise") as typeof import("mysql2/promise");
const ways = await serviceWays();

describeWith(["mariadb"], "an unmodified service with mysql2", () => {
  let mariadb: MariadbServer;
  let receiver: OtlpReceiver;
  let admin: Connection;
  beforeAll(async () => {
    [mariadb, receiver] = await Promise.all([startMariadb(), startOtlpReceiver()]);
    admin = await mysql.createConnection(mariadb.url);
    await admin.query("CREATE TABLE things (id int PRIMARY KEY, name varchar(20))");
    await admin.query("INSERT INTO things VALUES (1, 's3cret'), (2, 'b')");
  });
  afterAll(async () => {
    await admin?.end();
    await Promise.all([receiver?.close(), mariadb?.stop()]);
  });
  const status = async (name: string): Promise<number> => {
    const [rows] = await admin.query(`SHOW GLOBAL STATUS LIKE '${name}'`);
    return Number((rows as { Value: string }[])[0]?.Value);
  };

  describe.each(ways)("$program on Node $version", ({ binary, program }) => {
    let service: WatchedService;
    beforeAll(async () => {
      service = await startService(`mysql2/${program}`, binary, receiver, { MYSQL_URL: mariadb.url });
    });
    beforeEach(() => receiver.reset());
    afterAll(() => service.stop());

    test("each query is below the request that it was made for", async () => {
      expect(await service.traceOf("/thing", 2)).toBe("GET\n  SELECT things");
      expect(receiver.spans.find(({ name }) => name === "SELECT things")?.attributes).toMatchObject({
        "db.system.name": "mariadb",
        "db.namespace": mariadb.database,
        "db.operation.name": "SELECT",
        "db.collection.name": "things",
        "db.query.text": "SELECT id, name FROM things WHERE id = ?",
        "db.client.connection.pool.name": `127.0.0.1:${mariadb.port}/${mariadb.database}`,
        "db.response.returned_rows": 1,
        "server.address": "127.0.0.1",
        "server.port": mariadb.port,
      });
      receiver.reset();
      expect(await service.traceOf("/pay", 4)).toBe("GET\n  START\n  UPDATE things\n  COMMIT");
      receiver.reset();
      expect(await service.traceOf("/broken", 2)).toBe("GET\n  SELECT no_such_table");
      const broken = receiver.spans.find(({ name }) => name !== "GET");
      expect([
        broken?.status.code,
        broken?.attributes["error.type"],
        broken?.attributes["db.response.status_code"],
      ]).toEqual(["error", "ER_NO_SUCH_TABLE", "1146"]);
    });

    test("two requests share a pool that is too small: no query lands in the other's trace", async () => {
      await Promise.all([fetch(`${service.url}/crowd`), fetch(`${service.url}/crowd`)]);
      await receiver.waitForSpans((received) => received.length >= 26);
      const requests = receiver.spans.filter(({ parentSpanId }) => parentSpanId === undefined);
      expect(requests).toHaveLength(2);
      for (const { spanId, traceId } of requests) {
        const below = receiver.spans.filter(({ parentSpanId }) => parentSpanId === spanId);
        expect(below).toHaveLength(12);
        expect(new Set(below.map((span) => span.traceId))).toEqual(new Set([traceId]));
      }
    });

    test("the page counts what the server counts, knows the pool, and tells no values", async () => {
      const pool = `db_client_connection_pool_name="127.0.0.1:${mariadb.port}/${mariadb.database}"`;
      const counted = (page: Scraped) =>
        sumOf(page, "db_client_operation_duration_seconds_count", 'db_system_name="mariadb"');
      const before = counted(await scrape(service.metricsUrl));
      const selects = await status("Com_select");
      await Promise.all(Array.from({ length: 20 }, () => fetch(`${service.url}/named`)));
      await fetch(`${service.url}/crowd`);
      const page = await scrape(service.metricsUrl);
      expect(counted(page) - before).toBe(32);
      expect((await status("Com_select")) - selects).toBe(32);
      const count = (state: string) => sumOf(page, "db_client_connection_count", pool, `state="${state}"`);
      const [rows] = await admin.query(
        "SELECT COUNT(*) AS n FROM information_schema.processlist WHERE id <> CONNECTION_ID()",
      );
      expect([count("used"), count("idle")]).toEqual([0, (rows as { n: number }[])[0]?.n]);
      expect(sumOf(page, "db_client_connection_limit", pool)).toBe(3);
      expect(sumOf(page, "db_client_connection_pending_requests", pool)).toBe(0);
      const told = JSON.stringify([[...page], receiver.spans], (_, value: unknown) =>
        typeof value === "bigint" ? `${value}` : value,
      );
      expect(told).not.toContain("s3cret");
    });
  });
});

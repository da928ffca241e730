import { createRequire } from "node:module";
import { drawTrace, type OtlpReceiver, startOtlpReceiver, waitFor } from "@telltale/testkit";
import type { Sql } from "postgres";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { describeWith } from "./describe-with.js";
import { fixture } from "./run-program.js";
import { scrape, sumOf } from "./scrape.js";
import { type MariadbServer, type PostgresServer, startMariadb, startPostgres, testNodes } from "./servers/index.js";
import { type RunningProgram, startProgram } from "./start-program.js";

const require = createRequire(import.meta.url);
const mysql = require("mysql2/promise") as typeof import("mysql2/promise");
const postgres = require("postgres") as typeof import("postgres");
const nodes = await testNodes();

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

  const ways = nodes.flatMap(({ version, binary }) =>
    ["app.cjs", "app.mjs"].map((program) => ({ version, binary, program })),
  );
  describe.each(ways)("$program on Node $version", ({ binary, program }) => {
    let service: RunningProgram;
    let url: string;
    let metricsUrl: string;
    beforeAll(async () => {
      service = startProgram(fixture(`more-drivers/${program}`), {
        node: binary,
        env: {
          DATABASE_URL: postgresql.url,
          MYSQL_URL: mariadb.url,
          OTEL_TRACES_EXPORTER: "otlp",
          OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
          OTEL_EXPORTER_PROMETHEUS_PORT: "0",
          OTEL_BSP_SCHEDULE_DELAY: "20",
        },
      });
      url = `http://127.0.0.1:${(await service.said(/listening on (\d+)/, 1))[0]?.[1]}`;
      metricsUrl = (await service.said(/metrics: (http:\S+)/, 1))[0]?.[1] ?? "";
    });
    beforeEach(() => receiver.reset());
    afterAll(async () => {
      service.child.kill("SIGTERM");
      await waitFor(() => service.child.exitCode !== null, "the service to end", 5_000).catch(() => service.kill());
    });

    test.each([
      ["/postgres", "GET\n  SELECT things"],
      ["/returned", "GET\n  SELECT things"],
      ["/transaction", "GET\n  BEGIN\n  UPDATE things\n  SELECT\n  COMMIT"],
      ["/mariadb", "GET\n  SELECT things"],
    ])("%s: each query is below the request that it was made for", async (path, drawn) => {
      expect((await fetch(url + path)).status).toBe(200);
      await receiver.waitForSpans((received) => received.length >= drawn.split("\n").length);
      expect(drawTrace(receiver.spans, ({ name }) => name)).toBe(drawn);
      expect(JSON.stringify(receiver.spans.map(({ attributes, status }) => [attributes, status]))).not.toContain(
        "s3cret",
      );
    });

    test("two requests at once: no query lands in the other's trace, and the page knows the pools", async () => {
      await Promise.all([fetch(`${url}/both`), fetch(`${url}/both`)]);
      await receiver.waitForSpans((received) => received.length >= 22);
      for (const { spanId, traceId } of receiver.spans.filter(({ parentSpanId }) => parentSpanId === undefined)) {
        const below = receiver.spans.filter(({ parentSpanId }) => parentSpanId === spanId);
        expect(below).toHaveLength(10);
        expect(new Set(below.map((span) => span.traceId))).toEqual(new Set([traceId]));
      }
      const page = await scrape(metricsUrl);
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

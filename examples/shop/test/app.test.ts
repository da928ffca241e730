import { execFile } from "node:child_process";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describeWith } from "@telltale/test/describe-with";
import { startPostgres, startRedis } from "@telltale/test/servers";
import { Redis } from "ioredis";
import type { Pool } from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createApp } from "../src/app.js";
import { createCache } from "../src/cache.js";
import { createDatabase } from "../src/db.js";

interface Product {
  id: number;
  name: string;
  category: string;
}

describeWith(["postgres", "redis"], "the shop", () => {
  let postgres: Awaited<ReturnType<typeof startPostgres>>;
  let redisServer: Awaited<ReturnType<typeof startRedis>>;
  let db: Pool;
  let redis: Redis;
  let cache: ReturnType<typeof createCache>;
  let server: Server;
  let base: string;

  beforeAll(async () => {
    [postgres, redisServer] = await Promise.all([startPostgres(), startRedis()]);
    const seed = fileURLToPath(new URL("../src/seed.js", import.meta.url));
    await promisify(execFile)(process.execPath, [seed], { env: { ...process.env, DATABASE_URL: postgres.url } });
    db = createDatabase({ databaseUrl: postgres.url, poolSize: 5 });
    redis = new Redis(redisServer.url);
    cache = createCache({ redisUrl: redisServer.url });
    server = createApp({ db, cache }).listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });

  afterAll(async () => {
    server?.closeAllConnections();
    server?.close();
    await Promise.allSettled([db?.end(), cache?.close(), redis?.quit()]);
    await Promise.allSettled([postgres?.stop(), redisServer?.stop()]);
  });

  async function get<Body>(path: string) {
    const response = await fetch(base + path);
    return { status: response.status, body: (await response.json()) as Body };
  }

  function checkout(order: unknown) {
    return fetch(`${base}/checkout`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(order),
    });
  }

  const countOrders = async () => (await db.query("SELECT count(*)::int AS n FROM orders")).rows[0].n as number;
  const stockOf = async (id: number) =>
    (await db.query("SELECT stock FROM products WHERE id = $1", [id])).rows[0].stock as number;

  test("the seed is as large as it says", async () => {
    const { rows } = await db.query(`SELECT (SELECT count(*) FROM customers)::int AS customers,
    (SELECT count(*) FROM products)::int AS products, (SELECT count(*) FROM orders)::int AS orders,
    (SELECT count(*) FROM order_items)::int AS items,
    (SELECT count(*) FROM orders WHERE total_cents <>
      (SELECT sum(quantity * price_cents) FROM order_items WHERE order_id = orders.id))::int AS wrong_totals`);
    expect(rows[0]).toEqual({ customers: 2000, products: 20_000, orders: 20_000, items: 60_000, wrong_totals: 0 });
  });

  describe("products", () => {
    test("come from PostgreSQL, then from Redis", async () => {
      const first = await get<Product>("/products/7");
      expect(first).toMatchObject({ status: 200, body: { id: 7, category: "office" } });
      expect(JSON.parse((await redis.get("product:7")) ?? "null")).toEqual(first.body);
      expect(await redis.ttl("product:7")).toBeGreaterThan(0);

      await redis.set("product:7", JSON.stringify({ ...first.body, name: "from the cache" }), "EX", 60);
      expect((await get<Product>("/products/7")).body.name).toBe("from the cache");
    });

    test("are listed by category, page by page, whether cached or not", async () => {
      const cold = await get<{ products: Product[] }>("/products?category=garden&page=2");
      const warm = await get<{ products: Product[] }>("/products?category=garden&page=2");
      expect(cold.body.products).toHaveLength(20);
      expect(cold.body.products.every((product) => product.category === "garden")).toBe(true);
      expect(warm).toEqual(cold);
      await redis.del(`product:${cold.body.products[3]?.id}`);
      expect(await get<{ products: Product[] }>("/products?category=garden&page=2")).toEqual(cold);
    });

    test("that do not exist are not found, and are not cached", async () => {
      expect((await get("/products/999999")).status).toBe(404);
      expect(await redis.exists("product:999999")).toBe(0);
      expect((await get("/products/teapot")).status).toBe(400);
    });
  });

  describe("an illness and its cure answer the same", () => {
    test.each([
      ["/orders", "/orders-batched", 25],
      ["/search?q=copper+lantern", "/search-indexed?q=copper+lantern", 20],
      ["/search?q=nothing+like+this", "/search-indexed?q=nothing+like+this", 0],
      ["/report", "/report-released", 5],
    ])("%s and %s", async (ill, cured, rows) => {
      const [one, other] = [await get(ill), await get(cured)];
      expect(one.status).toBe(200);
      expect(one.body).toHaveLength(rows);
      expect(other).toEqual(one);
    });

    test("the cured search uses the index, the ill one reads every product", async () => {
      const plan = async (condition: string) =>
        (
          await db.query(
            `EXPLAIN SELECT id FROM products WHERE ${condition} @@ websearch_to_tsquery('english', 'lantern')`,
          )
        ).rows
          .map((row) => row["QUERY PLAN"])
          .join("\n");
      expect(await plan("words")).toContain("products_words");
      expect(await plan("to_tsvector('english', name || ' ' || description)")).toContain("Seq Scan on products");
    });
  });

  test("a report keeps its connection while it waits for the exchange rates", async () => {
    const reports = Array.from({ length: 6 }, () => get("/report"));
    await expect.poll(() => db.waitingCount).toBe(1);
    expect(db.totalCount - db.idleCount).toBe(5);
    expect((await Promise.all(reports)).map((report) => report.status)).toEqual([200, 200, 200, 200, 200, 200]);
  });

  describe("checkout", () => {
    test("takes the stock, keeps the order and forgets the cached products", async () => {
      await get("/products/11");
      const before = await stockOf(11);
      const response = await checkout({
        customerId: 3,
        card: "4111111111111111",
        items: [{ productId: 11, quantity: 2 }],
      });
      expect(response.status).toBe(201);
      const order = (await response.json()) as { id: number; total_cents: number };
      expect(await stockOf(11)).toBe(before - 2);
      const { rows } = await db.query("SELECT status, total_cents, payment_id FROM orders WHERE id = $1", [order.id]);
      expect(rows[0]).toEqual({
        status: "paid",
        total_cents: order.total_cents,
        payment_id: expect.stringMatching(/^pay_/),
      });
      expect(await redis.exists("product:11")).toBe(0);
    });

    test("leaves nothing behind when the card is declined", async () => {
      const [orders, stock] = [await countOrders(), await stockOf(12)];
      const response = await checkout({
        customerId: 3,
        card: "4111111111110000",
        items: [{ productId: 12, quantity: 1 }],
      });
      expect(response.status).toBe(402);
      expect([await countOrders(), await stockOf(12)]).toEqual([orders, stock]);
    });

    test("refuses what is sold out, and nonsense", async () => {
      const order = { customerId: 3, card: "4111111111111111" };
      expect((await checkout({ ...order, items: [{ productId: 13, quantity: 2_000_000 }] })).status).toBe(409);
      expect((await checkout({ ...order, items: [] })).status).toBe(400);
      expect((await checkout({ ...order, items: [{ productId: -1, quantity: 1 }] })).status).toBe(400);
    });
  });

  test("health, and a path that does not exist", async () => {
    expect(await get("/health")).toEqual({ status: 200, body: { database: "up", cache: "up" } });
    expect((await get("/nowhere")).status).toBe(404);
  });
});

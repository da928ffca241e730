import { Router } from "express";

const LATEST = `
  SELECT orders.id, orders.status, orders.total_cents, orders.placed_at, customers.name AS customer
  FROM orders JOIN customers ON customers.id = orders.customer_id
  ORDER BY orders.placed_at DESC, orders.id DESC
  LIMIT 25`;

export function orderRoutes({ db }) {
  const router = Router();

  // The illness: one query for the list, then one more for every order in it (N+1).
  router.get("/orders", async (_request, response) => {
    const { rows: orders } = await db.query(LATEST);
    for (const order of orders) {
      const { rows: items } = await db.query(
        `SELECT order_id, line, product_id, products.name, quantity, order_items.price_cents
         FROM order_items JOIN products ON products.id = product_id
         WHERE order_id = $1 ORDER BY line`,
        [order.id],
      );
      order.items = items;
    }
    response.json(orders);
  });

  // The cure: the items of all orders in one query.
  router.get("/orders-batched", async (_request, response) => {
    const { rows: orders } = await db.query(LATEST);
    const { rows: items } = await db.query(
      `SELECT order_id, line, product_id, products.name, quantity, order_items.price_cents
       FROM order_items JOIN products ON products.id = product_id
       WHERE order_id = ANY($1) ORDER BY order_id, line`,
      [orders.map((order) => order.id)],
    );
    const itemsOf = Map.groupBy(items, (item) => item.order_id);
    for (const order of orders) order.items = itemsOf.get(order.id) ?? [];
    response.json(orders);
  });

  return router;
}

import { Router } from "express";
import { span } from "telltale";
import { inTransaction } from "../db.js";
import { httpError, positiveInteger } from "../http-error.js";
import { chargeCard } from "../payments.js";

export function checkoutRoutes({ db, cache }) {
  const router = Router();

  router.post("/checkout", async (request, response) => {
    const basket = readBasket(request.body);
    const order = await inTransaction(db, (client) => placeOrder(client, basket));
    await cache.forget(basket.items.map((item) => `product:${item.productId}`));
    response.status(201).json(order);
  });

  return router;
}

// A declined card rolls everything back: the stock returns and no order is left.
async function placeOrder(client, { customerId, card, items }) {
  const lines = await reserveStock(client, items);
  const cents = lines.reduce((sum, line) => sum + line.quantity * line.priceCents, 0);
  const { rows } = await client.query(
    "INSERT INTO orders (customer_id, total_cents) VALUES ($1, $2) RETURNING id, placed_at",
    [customerId, cents],
  );
  const { id, placed_at } = rows[0];
  await client.query(
    `INSERT INTO order_items (order_id, line, product_id, quantity, price_cents)
     SELECT $1, line, product_id, quantity, price_cents
     FROM unnest($2::int[], $3::int[], $4::int[]) WITH ORDINALITY AS item (product_id, quantity, price_cents, line)`,
    [id, lines.map((line) => line.productId), lines.map((line) => line.quantity), lines.map((line) => line.priceCents)],
  );
  const paymentId = await span("charge card", { "order.id": id, "payment.amount_cents": cents }, () =>
    chargeCard({ card, cents }),
  );
  await client.query("UPDATE orders SET status = 'paid', payment_id = $2 WHERE id = $1", [id, paymentId]);
  return { id, status: "paid", total_cents: cents, placed_at };
}

async function reserveStock(client, items) {
  const lines = [];
  // In the order of the ids, so that two checkouts never wait for each other's rows.
  for (const { productId, quantity } of items.toSorted((a, b) => a.productId - b.productId)) {
    const { rows } = await client.query(
      "UPDATE products SET stock = stock - $2 WHERE id = $1 AND stock >= $2 RETURNING price_cents",
      [productId, quantity],
    );
    if (rows.length === 0) throw httpError(409, `product ${productId} is sold out`);
    lines.push({ productId, quantity, priceCents: rows[0].price_cents });
  }
  return lines;
}

function readBasket(body) {
  const { customerId, card, items } = body ?? {};
  if (!Array.isArray(items) || items.length === 0 || items.length > 50)
    throw httpError(400, "items must be 1 to 50 products");
  if (typeof card !== "string" || !/^\d{12,19}$/.test(card)) throw httpError(400, "card must be 12 to 19 digits");
  return {
    customerId: positiveInteger(customerId, "customerId"),
    card,
    items: items.map((item) => ({
      productId: positiveInteger(item?.productId, "productId"),
      quantity: positiveInteger(item?.quantity, "quantity"),
    })),
  };
}

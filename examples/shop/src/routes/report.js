import { Router } from "express";
import { fetchExchangeRates } from "../exchange-rates.js";

const SALES = `
  SELECT products.category, count(*)::int AS items, sum(quantity * order_items.price_cents)::int AS cents
  FROM order_items JOIN products ON products.id = product_id
  WHERE order_id > (SELECT max(id) - 2000 FROM orders)
  GROUP BY products.category ORDER BY products.category`;

export function reportRoutes({ db }) {
  const router = Router();

  // The illness: a connection is held while another service is asked, and the rest of the shop queues for the pool.
  router.get("/report", async (_request, response) => {
    const client = await db.connect();
    try {
      const { rows: sales } = await client.query(SALES);
      const rates = await fetchExchangeRates();
      response.json(convert(sales, rates));
    } finally {
      client.release();
    }
  });

  // The cure: the connection is taken for the query alone.
  router.get("/report-released", async (_request, response) => {
    const [{ rows: sales }, rates] = await Promise.all([db.query(SALES), fetchExchangeRates()]);
    response.json(convert(sales, rates));
  });

  return router;
}

function convert(sales, rates) {
  return sales.map(({ category, items, cents }) => ({
    category,
    items,
    eur: cents / 100,
    usd: Math.round(cents * rates.usd) / 100,
  }));
}

import { Router } from "express";
import { httpError } from "../http-error.js";

export function searchRoutes({ db }) {
  const router = Router();

  // The illness: no index knows this expression, so PostgreSQL splits the text of every product into words, each time.
  router.get("/search", async (request, response) => {
    const { rows } = await db.query(
      `SELECT id, name, price_cents FROM products
       WHERE to_tsvector('english', name || ' ' || description) @@ websearch_to_tsquery('english', $1)
       ORDER BY price_cents, id LIMIT 20`,
      [readTerms(request)],
    );
    response.json(rows);
  });

  // The cure: a generated column holds the words, and a GIN index finds them (db/schema.sql, db/seed.sql).
  router.get("/search-indexed", async (request, response) => {
    const { rows } = await db.query(
      `SELECT id, name, price_cents FROM products
       WHERE words @@ websearch_to_tsquery('english', $1)
       ORDER BY price_cents, id LIMIT 20`,
      [readTerms(request)],
    );
    response.json(rows);
  });

  return router;
}

function readTerms(request) {
  const terms = request.query.q;
  if (typeof terms !== "string" || terms.trim() === "") throw httpError(400, "q must be the words to search for");
  return terms;
}

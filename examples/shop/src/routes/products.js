import { Router } from "express";
import { httpError, positiveInteger } from "../http-error.js";

const PRODUCT_TTL_SECONDS = 300;
const LISTING_TTL_SECONDS = 5;
const PAGE_SIZE = 20;
const COLUMNS = "id, name, category, description, price_cents, stock";

export function productRoutes({ db, cache }) {
  const router = Router();

  // A page of a category: the ids are cached for seconds, the products themselves for minutes.
  router.get("/", async (request, response) => {
    const category = String(request.query.category ?? "kitchen");
    const page = positiveInteger(request.query.page ?? 1, "page");
    const ids = await cache.through(`listing:${category}:${page}`, LISTING_TTL_SECONDS, () => listIds(category, page));
    const products = await cache.throughMany("product:", ids, PRODUCT_TTL_SECONDS, findProducts);
    response.json({ category, page, products });
  });

  router.get("/:id", async (request, response) => {
    const id = positiveInteger(request.params.id, "id");
    const product = await cache.through(`product:${id}`, PRODUCT_TTL_SECONDS, () => findProduct(id));
    if (product === undefined) throw httpError(404, `there is no product ${id}`);
    response.json(product);
  });

  async function listIds(category, page) {
    const { rows } = await db.query("SELECT id FROM products WHERE category = $1 ORDER BY id LIMIT $2 OFFSET $3", [
      category,
      PAGE_SIZE,
      (page - 1) * PAGE_SIZE,
    ]);
    return rows.map((row) => row.id);
  }

  async function findProducts(ids) {
    const { rows } = await db.query(`SELECT ${COLUMNS} FROM products WHERE id = ANY($1)`, [ids]);
    return rows;
  }

  async function findProduct(id) {
    const { rows } = await db.query(`SELECT ${COLUMNS} FROM products WHERE id = $1`, [id]);
    return rows[0];
  }

  return router;
}

import { analyzeQuery, createShapeCache } from "@telltale/core";
import type { Micro } from "./micro.js";

const SHORT = "SELECT id, name, price FROM items WHERE id = $1";
const LONG = `SELECT o.id, o.total, c.name, count(*) AS lines FROM orders o JOIN customers c ON c.id = o.customer_id
  JOIN order_lines l ON l.order_id = o.id WHERE o.status IN ('paid', 'sent') AND o.total > 100.5
  GROUP BY o.id, c.name ORDER BY o.created_at DESC LIMIT 20`;

export function queries(): Micro[] {
  const cache = createShapeCache("postgresql");
  return [
    { name: `analyse a query of ${SHORT.length} characters`, run: () => analyzeQuery(SHORT, "postgresql") },
    { name: `analyse a query of ${LONG.length} characters`, run: () => analyzeQuery(LONG, "postgresql") },
    { name: "find a query that is known", run: () => cache.get(LONG) },
  ];
}

import express from "express";
import { checkoutRoutes } from "./routes/checkout.js";
import { healthRoutes } from "./routes/health.js";
import { orderRoutes } from "./routes/orders.js";
import { productRoutes } from "./routes/products.js";
import { reportRoutes } from "./routes/report.js";
import { searchRoutes } from "./routes/search.js";

export function createApp({ db, cache }) {
  const app = express();
  app.disable("x-powered-by");
  app.use(express.json({ limit: "100kb" }));

  app.use("/products", productRoutes({ db, cache }));
  app.use(orderRoutes({ db }));
  app.use(searchRoutes({ db }));
  app.use(reportRoutes({ db }));
  app.use(checkoutRoutes({ db, cache }));
  app.use(healthRoutes({ db, cache }));

  app.use((_request, response) => response.status(404).json({ error: "not found" }));
  app.use((error, _request, response, next) => {
    if (response.headersSent) return next(error);
    const status = error.status ?? 500;
    if (status >= 500) console.error(error);
    return response.status(status).json({ error: status >= 500 ? "internal error" : error.message });
  });
  return app;
}

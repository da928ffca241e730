import { Router } from "express";

export function healthRoutes({ db, cache }) {
  const router = Router();

  router.get("/health", async (_request, response) => {
    const [database, redis] = await Promise.allSettled([db.query("SELECT 1"), cache.ping()]);
    // Without Redis the shop is slower, without PostgreSQL there is no shop.
    response.status(database.status === "fulfilled" ? 200 : 503).json({
      database: database.status === "fulfilled" ? "up" : "down",
      cache: redis.status === "fulfilled" ? "up" : "down",
    });
  });

  return router;
}

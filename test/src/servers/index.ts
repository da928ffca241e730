export { findServer, serverAvailable, whyUnavailable } from "./find-server.js";
export type { ServerName } from "./find-server.js";
export { freePort } from "./free-port.js";
export { startPostgres } from "./postgres.js";
export type { PostgresOptions, PostgresServer } from "./postgres.js";
export { startPrometheus } from "./prometheus.js";
export type { PrometheusOptions, PrometheusServer } from "./prometheus.js";
export { startRedis } from "./redis.js";
export type { RedisOptions, RedisServer } from "./redis.js";

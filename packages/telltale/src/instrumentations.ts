import type { Instrumentation } from "@telltale/core";
import {
  keyvInstrumentation,
  memcachedInstrumentation,
  memjsInstrumentation,
  nodeCacheInstrumentation,
} from "@telltale/instrumentation-caches";
import {
  expressInstrumentation,
  fastifyInstrumentation,
  hapiInstrumentation,
  honoInstrumentation,
  httpInstrumentation,
  koaInstrumentation,
  nextInstrumentation,
} from "@telltale/instrumentation-http";
import { mariadbInstrumentation } from "@telltale/instrumentation-mariadb";
import { mongodbInstrumentation } from "@telltale/instrumentation-mongodb";
import { mysql2Instrumentation } from "@telltale/instrumentation-mysql2";
import { pgInstrumentation } from "@telltale/instrumentation-pg";
import {
  genericPoolInstrumentation,
  sequelizePoolInstrumentation,
  tarnInstrumentation,
} from "@telltale/instrumentation-pools";
import { postgresInstrumentation } from "@telltale/instrumentation-postgres";
import { ioredisInstrumentation, nodeRedisInstrumentation } from "@telltale/instrumentation-redis";
import { betterSqlite3Instrumentation, sqliteInstrumentation } from "@telltale/instrumentation-sqlite";
import { tediousInstrumentation } from "@telltale/instrumentation-tedious";
import type { InstrumentationName } from "./config/options.js";
import type { Config } from "./config/resolve.js";

/** What there is, by the words of the configuration; `docs/libraries.md` has a row for each. */
export const INSTRUMENTATIONS: Readonly<
  Record<InstrumentationName, (config: Config, serviceName: string) => Instrumentation>
> = {
  http: ({ http = {} }) => httpInstrumentation(http),
  express: () => expressInstrumentation(),
  fastify: () => fastifyInstrumentation(),
  koa: () => koaInstrumentation(),
  hapi: () => hapiInstrumentation(),
  hono: () => honoInstrumentation(),
  next: () => nextInstrumentation(),
  pg: ({ explain, sqlcommenter = false }, serviceName) =>
    pgInstrumentation({ explain, ...(sqlcommenter && { sqlTags: { application: serviceName, db_driver: "pg" } }) }),
  mysql2: ({ explain }) => mysql2Instrumentation({ explain }),
  postgres: () => postgresInstrumentation(),
  mariadb: () => mariadbInstrumentation(),
  sqlite: () => sqliteInstrumentation(),
  "better-sqlite3": () => betterSqlite3Instrumentation(),
  tedious: () => tediousInstrumentation(),
  mongodb: () => mongodbInstrumentation(),
  ioredis: () => ioredisInstrumentation(),
  redis: () => nodeRedisInstrumentation(),
  memcached: () => memcachedInstrumentation(),
  memjs: () => memjsInstrumentation(),
  keyv: () => keyvInstrumentation(),
  "node-cache": () => nodeCacheInstrumentation(),
  tarn: () => tarnInstrumentation(),
  "generic-pool": () => genericPoolInstrumentation(),
  "sequelize-pool": () => sequelizePoolInstrumentation(),
};

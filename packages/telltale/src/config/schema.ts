import { readFileSync } from "node:fs";
import { namings } from "@telltale/core";
import { UPSTREAM_NAMES } from "../upstream/known.js";

/** Says what is expected when a value does not fit; undefined when it does. */
type Check = (value: unknown) => string | undefined;
/** The shape of a configuration: a check per option, or a group of options. */
export interface Schema {
  readonly [option: string]: Check | Schema;
}

const text: Check = (value) => (typeof value === "string" && value !== "" ? undefined : "a text");
const flag: Check = (value) => (typeof value === "boolean" ? undefined : "true or false");
const call: Check = (value) => (typeof value === "function" ? undefined : "a function");
const thing: Check = (value) => (isGroup(value) ? undefined : "an object");

function number(what: string, min: number, max = Number.MAX_SAFE_INTEGER): Check {
  return (value) => (typeof value === "number" && value >= min && value <= max ? undefined : what);
}
const ms = number("a number of milliseconds, 0 or more", 0);
/** A timer that is told to wait longer does not wait at all. */
const LONGEST_MS = 2 ** 31 - 1;
const time = number(`a number of milliseconds from 1 to ${LONGEST_MS}`, 1, LONGEST_MS);
const share = number("a number from 0 to 1", 0, 1);
const port: Check = (value) =>
  Number.isInteger(value) && Number(value) >= 0 && Number(value) <= 65535 ? undefined : "a port from 0 to 65535";

function oneOf(...accepted: string[]): Check {
  return (value) => (accepted.includes(value as string) ? undefined : `one of ${accepted.join(", ")}`);
}
function listOf(check: Check): Check {
  return (value) => {
    if (!Array.isArray(value)) return `a list, each ${check(undefined)}`;
    const wrong = value.map(check).find((expected) => expected !== undefined);
    return wrong && `a list, each ${wrong}`;
  };
}
function mapOf(check: Check): Check {
  return (value) => {
    if (!isGroup(value)) return `an object, each value ${check(undefined)}`;
    const wrong = Object.values(value)
      .map(check)
      .find((expected) => expected !== undefined);
    return wrong && `an object, each value ${wrong}`;
  };
}
const attribute: Check = (value) =>
  ["string", "number", "boolean"].includes(typeof value) ? undefined : "a text, number or boolean";

/** An absolute http or https URL. */
export const url: Check = (value) => {
  const parsed = typeof value === "string" && URL.canParse(value) ? new URL(value) : undefined;
  return parsed?.protocol === "http:" || parsed?.protocol === "https:"
    ? undefined
    : "a URL such as http://localhost:4318";
};

/** The path of a file. */
export const readableFile: Check = (value) => {
  try {
    readFileSync(String(value));
    return undefined;
  } catch {
    return "a file that can be read";
  }
};

const otlp = {
  endpoint: url,
  headers: mapOf(text),
  protocol: oneOf("http/protobuf", "http/json", "grpc"),
  compression: oneOf("gzip", "none"),
  timeoutMs: time,
};

/** What a configuration file may hold; the types are in options.ts. */
export const FILE_SCHEMA: Schema = {
  enabled: flag,
  serviceName: text,
  resourceAttributes: mapOf(attribute),
  log: oneOf("silent", "info", "debug"),
  instrumentations: {
    http: flag,
    express: flag,
    fastify: flag,
    koa: flag,
    hapi: flag,
    hono: flag,
    next: flag,
    pg: flag,
    mysql2: flag,
    postgres: flag,
    mariadb: flag,
    sqlite: flag,
    "better-sqlite3": flag,
    tedious: flag,
    mongodb: flag,
    ioredis: flag,
    redis: flag,
    memcached: flag,
    memjs: flag,
    keyv: flag,
    "node-cache": flag,
    tarn: flag,
    "generic-pool": flag,
    "sequelize-pool": flag,
    ...Object.fromEntries(UPSTREAM_NAMES.map((name) => [name, flag])),
  },
  logCorrelation: listOf(oneOf("pino", "winston", "console", "none")),
  engine: oneOf("telltale", "sdk"),
  http: { ignoreIncomingPaths: listOf(text), trustForwarded: flag },
  traces: {
    ...otlp,
    exporters: listOf(oneOf("otlp", "console", "zipkin", "none")),
    sampler: oneOf(
      "always_on",
      "always_off",
      "traceidratio",
      "parentbased_always_on",
      "parentbased_always_off",
      "parentbased_traceidratio",
    ),
    samplerArg: share,
    keep: listOf(oneOf("error", "slow", "finding", "none")),
    keepSlowMs: ms,
    keepPerSecond: number("a number of requests, 0 or more", 0),
  },
  metrics: {
    ...otlp,
    exporters: listOf(oneOf("prometheus", "otlp", "console", "none")),
    host: text,
    port,
    naming: oneOf(...Object.keys(namings)),
    scopeLabels: flag,
    resourceLabels: listOf(text),
    maxPageBytes: number("a number of bytes, 1000 or more", 1000),
    findings: oneOf("local", "all", "none"),
    intervalMs: time,
    merge: flag,
    gauges: mapOf(oneOf("sum", "min", "max", "mean", "each")),
  },
  slowQueryMs: ms,
  slowQueries: { bySystem: mapOf(ms), bySummary: mapOf(ms), baseline: flag },
  eventLoop: { blockMs: ms, profile: flag },
  nPlusOne: {
    minCount: number("a number of calls, 2 or more", 2),
    minTotalMs: ms,
    minShare: share,
    ignoreRoutes: listOf(text),
    ignoreFingerprints: listOf(text),
  },
  cacheFindings: {
    minHitRatio: share,
    minLookups: number("a number of lookups, 0 or more", 0),
    windowMs: time,
    minMisses: number("a number of keys, 0 or more", 0),
    minStampede: number("a number of requests, 0 or more", 0),
    minWrites: number("a number of writes, 1 or more", 1),
    neverReadMs: ms,
    ignoreCaches: listOf(text),
  },
  pools: {
    waitMs: ms,
    idleMs: ms,
    afterRequestMs: ms,
    ignorePools: listOf(text),
    ignoreRoutes: listOf(text),
  },
  explain: flag,
  sqlcommenter: flag,
  findingsLog: flag,
  findingEventsMs: ms,
  knownFindings: text,
  caches: mapOf(text),
};

/** What `start()` takes. */
export const CODE_SCHEMA: Schema = { ...FILE_SCHEMA, onFinding: call, sdk: thing };

export function isGroup(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Every problem of a configuration; `where` names its source in each: `telltale.config.json`. */
export function findProblems(schema: Schema, value: unknown, where: string, prefix = ""): string[] {
  if (!isGroup(value)) return [`${where}: ${prefix || "the configuration"} must be an object, got ${show(value)}`];
  const problems: string[] = [];
  for (const [key, given] of Object.entries(value)) {
    const option = prefix === "" ? key : `${prefix}.${key}`;
    const check = Object.hasOwn(schema, key) ? schema[key] : undefined;
    if (check === undefined)
      problems.push(`${where}: unknown option ${option}; known are ${Object.keys(schema).join(", ")}`);
    else if (given === undefined) continue;
    else if (typeof check === "function") {
      const expected = check(given);
      if (expected !== undefined) problems.push(`${where}: ${option} must be ${expected}, got ${show(given)}`);
    } else problems.push(...findProblems(check, given, where, option));
  }
  return problems;
}

/** What came, short and without secrets: a header's value is never shown. */
export function show(value: unknown): string {
  if (typeof value === "string") {
    const text = value.replace(/^([a-z]+:\/\/)?[^/]*@/i, "$1***@");
    return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text);
  }
  if (Array.isArray(value)) return `[${value.slice(0, 5).map(show).join(", ")}]`;
  return typeof value === "object" && value !== null ? "an object" : String(value);
}

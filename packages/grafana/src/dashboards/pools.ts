import { atMost, type DashboardPlan, type Material, none, plain } from "../panel.js";
import { percent } from "../percent.js";
import type { Label } from "../promql.js";

const POOL: readonly Label[] = ["instance", "db.client.connection.pool.name"];
const OTHER: readonly Label[] = ["instance", "telltale.pool.name"];
const SERVER: readonly Label[] = ["instance", "server.address", "server.port"];
const USED = { "db.client.connection.state": "=used" } as const;
const IDLE = { "db.client.connection.state": "=idle" } as const;

export function planPools({ q, slo }: Material): DashboardPlan {
  const { utilization } = slo.pools;
  const full = atMost(utilization * 0.75, utilization);
  const pool = `{{${q.label("db.client.connection.pool.name")}}} {{instance}}`;
  const used = q.sum(POOL, q.value("poolConnections", USED));
  const limit = q.sum(POOL, q.value("poolLimit"));
  const server = `{{${q.label("server.address")}}}:{{${q.label("server.port")}}} {{instance}}`;
  const connected = (state: string): string =>
    q.sum(SERVER, q.value("httpConnections", { "http.connection.state": `=${state}` }));
  const other = `{{${q.label("telltale.pool.name")}}} {{instance}}`;
  const resources = (state: string): string =>
    q.sum(OTHER, q.value("resources", { "telltale.pool.state": `=${state}` }));
  const range = q.over("$__range");
  const waits = atMost(0.01, 0.1);

  return {
    uid: "telltale-pools",
    title: "Pools",
    description:
      "Pools of connections and of other things: how many there are, who has to wait for one, and for how long they are held.",
    variables: ["service", "instance"],
    rows: [
      {
        title: "At a glance",
        panels: [
          {
            type: "stat",
            title: "Fullest pool",
            shows: "Connections in use over the limit, of the fullest pool.",
            good: `Below ${percent(utilization)}.`,
            otherwise: "Look at Held below before you raise the limit: a connection held too long is the usual cause.",
            unit: "percentunit",
            steps: full,
            width: 6,
            query: { expression: `max(${used} / ${limit})`, legend: "in use" },
          },
          {
            type: "stat",
            title: "Waiting",
            shows: "Callers that wait for a connection now, all pools together.",
            good: "0.",
            otherwise: "Requests are slower by that wait. See Waiting time below.",
            unit: "short",
            steps: atMost(1, 10),
            width: 6,
            query: { expression: q.sum([], q.value("poolPending")), legend: "waiting" },
          },
          {
            type: "stat",
            title: "Time-outs",
            shows: "Waits that were given up in the chosen time. Each is a request that failed.",
            good: "0.",
            otherwise: "The pool was full for longer than its time-out: find who holds connections, below.",
            unit: "short",
            steps: none,
            width: 6,
            query: { expression: range.sum([], range.increase("poolTimeouts")), legend: "time-outs" },
          },
          {
            type: "stat",
            title: "p95 of waiting",
            shows: "95 % of the connections were handed out faster than this.",
            good: "About a millisecond: a connection was idle.",
            otherwise: "The pool is too small for how long connections are held.",
            unit: "s",
            steps: waits,
            width: 6,
            query: { expression: q.quantile(0.95, "poolWait", []), legend: "p95" },
          },
        ],
      },
      {
        title: "Connections",
        panels: [
          {
            type: "time",
            title: "Connections",
            shows: "Connections of each pool in use and idle, and the most there may be.",
            good: "In use stays well below the limit; some are idle.",
            otherwise:
              "In use lies on the limit: callers queue. Many are always idle: the limit could be lower, connections cost the server memory.",
            unit: "short",
            steps: plain,
            width: 12,
            queries: [
              { expression: used, legend: `used ${pool}` },
              { expression: q.sum(POOL, q.value("poolConnections", IDLE)), legend: `idle ${pool}` },
              { expression: limit, legend: `limit ${pool}` },
            ],
          },
          {
            type: "time",
            title: "In use of the limit",
            shows: "Share of each pool's limit that is in use.",
            good: `Below ${percent(utilization)}, so that a rush finds connections.`,
            otherwise:
              "Shorten what is done while a connection is held, then raise the limit, within what the server can serve.",
            unit: "percentunit",
            steps: full,
            width: 12,
            queries: [{ expression: `${used} / ${limit}`, legend: pool }],
          },
          {
            type: "time",
            title: "Callers waiting",
            shows: "Callers that wait for a connection, at each scrape.",
            good: "0; a short peak in a rush does no harm.",
            otherwise: "More than a few for longer: the pool is the bottleneck. See In use of the limit and Held.",
            unit: "short",
            steps: atMost(1, 10),
            width: 12,
            queries: [{ expression: q.sum(POOL, q.value("poolPending")), legend: pool }],
          },
          {
            type: "time",
            title: "Time-outs",
            shows: "Waits given up, per second.",
            good: "None.",
            otherwise:
              "Each was a request that failed: an alert pages. Held below says whether connections come back late.",
            unit: "ops",
            steps: none,
            width: 12,
            queries: [{ expression: q.sum(POOL, q.rate("poolTimeouts")), legend: pool }],
          },
        ],
      },
      {
        title: "Times",
        panels: [
          {
            type: "time",
            title: "Waiting time",
            shows: "p95 and p99 of the time from asking for a connection to having it.",
            good: "About a millisecond.",
            otherwise: "Requests wait here and not in the database: a faster query elsewhere may be the cure.",
            unit: "s",
            steps: waits,
            width: 8,
            queries: [
              { expression: q.quantile(0.95, "poolWait", POOL), legend: `p95 ${pool}` },
              { expression: q.quantile(0.99, "poolWait", POOL), legend: `p99 ${pool}` },
            ],
          },
          {
            type: "time",
            title: "Held",
            shows: "p95 and p99 of the time from having a connection to giving it back.",
            good: "About as long as the queries take (Databases).",
            otherwise:
              "Much longer than the queries: something else is awaited while the connection is held, such as another service. Release it before.",
            unit: "s",
            steps: atMost(0.1, 0.5),
            width: 8,
            queries: [
              { expression: q.quantile(0.95, "poolUse", POOL), legend: `p95 ${pool}` },
              { expression: q.quantile(0.99, "poolUse", POOL), legend: `p99 ${pool}` },
            ],
          },
          {
            type: "time",
            title: "Opened",
            shows: "Connections opened per second.",
            good: "Near 0 once the service is warm.",
            otherwise:
              "Connections do not last: raise the idle time-out or the minimum, and look for errors that break them.",
            unit: "ops",
            steps: atMost(1, 10),
            width: 8,
            queries: [{ expression: q.sum(POOL, q.count("poolCreate")), legend: pool }],
          },
          {
            type: "time",
            title: "Time to open",
            shows: "p95 of the time it takes to open a connection.",
            good: "A few tens of milliseconds.",
            otherwise:
              "Look at name resolution, TLS and how busy the server is with log-ins; a proxy that pools helps.",
            unit: "s",
            steps: atMost(0.1, 0.5),
            width: 24,
            queries: [{ expression: q.quantile(0.95, "poolCreate", POOL), legend: pool }],
          },
        ],
      },
      {
        title: "HTTP",
        panels: [
          {
            type: "time",
            title: "Connections to services",
            shows: "Connections that HTTP clients keep to each server, and the most there may be.",
            good: "Some are idle.",
            otherwise:
              "Active lies on the limit: requests queue, raise maxSockets or connections. None is ever idle: each request opens one, see keepAlive.",
            unit: "short",
            steps: plain,
            width: 8,
            queries: [
              { expression: connected("active"), legend: `active ${server}` },
              { expression: connected("idle"), legend: `idle ${server}` },
              { expression: q.sum(SERVER, q.value("httpLimit")), legend: `limit ${server}` },
            ],
          },
          {
            type: "time",
            title: "Requests waiting",
            shows: "Requests that wait for a connection, at each scrape.",
            good: "0; a short peak in a rush does no harm.",
            otherwise:
              "The service asked is slow, or asked too much at once, or the client may open too few connections.",
            unit: "short",
            steps: atMost(1, 10),
            width: 8,
            queries: [{ expression: q.sum(SERVER, q.value("httpPending")), legend: server }],
          },
          {
            type: "time",
            title: "Waiting for a service",
            shows: "p95 and p99 of the time from sending a request to having a connection for it.",
            good: "About a millisecond, where connections are kept.",
            otherwise: "This is no time of the service asked: the request had not left yet.",
            unit: "s",
            steps: waits,
            width: 8,
            queries: [
              { expression: q.quantile(0.95, "httpWait", SERVER), legend: `p95 ${server}` },
              { expression: q.quantile(0.99, "httpWait", SERVER), legend: `p99 ${server}` },
            ],
          },
        ],
      },
      {
        title: "Workers and others",
        panels: [
          {
            type: "time",
            title: "Lent",
            shows:
              "What each pool of other things than database connections has lent and idle, and the most it may have.",
            good: "Some are idle, but for workers that are meant to be busy.",
            otherwise: "Used lies on the limit: callers queue. See how long each is held, on the right.",
            unit: "short",
            steps: plain,
            width: 8,
            queries: [
              { expression: resources("used"), legend: `used ${other}` },
              { expression: resources("idle"), legend: `idle ${other}` },
              { expression: q.sum(OTHER, q.value("resourceLimit")), legend: `limit ${other}` },
            ],
          },
          {
            type: "time",
            title: "Waiting for these",
            shows: "Callers that wait, at each scrape.",
            good: "0, or a queue that gets shorter.",
            otherwise: "It grows: more is asked than is done. Ask for less, do it faster, or raise the limit.",
            unit: "short",
            steps: plain,
            width: 8,
            queries: [{ expression: q.sum(OTHER, q.value("resourcePending")), legend: other }],
          },
          {
            type: "time",
            title: "Waited and held",
            shows: "p95 of the time from asking to having, and from having to giving back.",
            good: "Waits are short beside what is done.",
            otherwise: "Requests wait here: Findings tells for whom, where the pool says who asks.",
            unit: "s",
            steps: plain,
            width: 8,
            queries: [
              { expression: q.quantile(0.95, "resourceWait", OTHER), legend: `waited ${other}` },
              { expression: q.quantile(0.95, "resourceUse", OTHER), legend: `held ${other}` },
            ],
          },
        ],
      },
    ],
  };
}

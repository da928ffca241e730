import { atMost, type DashboardPlan, type Material, none, plain } from "../panel.js";
import type { Label } from "../promql.js";

const QUERY: readonly Label[] = ["db.system.name", "db.query.summary"];
const FAILED = { "error.type": "!=" } as const;

export function planDatabases({ q, slo }: Material): DashboardPlan {
  const mean = slo.database.meanMs / 1000;
  const system = `{{${q.label("db.system.name")}}}`;
  const query = `${system} {{${q.label("db.query.summary")}}}`;
  const calls = q.count("dbOperationDuration");
  const time = q.total("dbOperationDuration");
  const range = q.over("$__range");
  const rangeCalls = range.count("dbOperationDuration");

  return {
    uid: "telltale-databases",
    title: "Databases",
    description: "Every call to a database or Redis, by system and by query summary: which ones take the time.",
    variables: ["service", "instance"],
    rows: [
      {
        title: "At a glance",
        panels: [
          {
            type: "stat",
            title: "Calls",
            shows: "Calls to all databases per second.",
            good: "A steady multiple of the requests served.",
            otherwise: "More calls per request than before is an N+1: see Findings.",
            unit: "cps",
            steps: plain,
            width: 4,
            query: { expression: q.sum([], calls), legend: "calls" },
          },
          {
            type: "stat",
            title: "Calls per request",
            shows: "Calls to databases for each request served.",
            good: "A handful.",
            otherwise: "Ten and more: read rows for many keys in one query. Findings names the routes.",
            unit: "short",
            steps: atMost(10, 25),
            width: 4,
            query: {
              expression: `${q.sum([], calls)} / ${q.sum([], q.count("httpServerDuration"))}`,
              legend: "calls per request",
            },
          },
          {
            type: "stat",
            title: "Time per request",
            shows: "Time that databases take for each request served; calls that run side by side count one by one.",
            good: `Well below the ${slo.requests.p95Ms} ms that 95 % of the requests may take.`,
            otherwise: "Begin with the query that has the largest share of time, below.",
            unit: "s",
            steps: atMost(slo.requests.p95Ms / 2000, slo.requests.p95Ms / 1000),
            width: 4,
            query: {
              expression: `${q.sum([], time)} / ${q.sum([], q.count("httpServerDuration"))}`,
              legend: "time per request",
            },
          },
          {
            type: "stat",
            title: "Mean",
            shows: "Mean duration of a call, of the slowest system.",
            good: `Below ${slo.database.meanMs} ms.`,
            otherwise: "See which queries have become slow below, and whether the server is busy.",
            unit: "s",
            steps: atMost(mean / 2, mean),
            width: 4,
            query: {
              expression: `max(${q.sum(["db.system.name"], time)} / ${q.sum(["db.system.name"], calls)})`,
              legend: "mean",
            },
          },
          {
            type: "stat",
            title: "Errors",
            shows: "Share of calls that failed.",
            good: "0.",
            otherwise: "Errors below says which query fails with what.",
            unit: "percentunit",
            steps: atMost(0.001, 0.01),
            width: 4,
            query: { expression: q.share([], q.count("dbOperationDuration", FAILED), calls), legend: "failed" },
          },
          {
            type: "stat",
            title: "Slow",
            shows: "Share of calls that took longer than slowQueryMs (100 ms unless you set it).",
            good: "0.",
            otherwise: "Slow queries below names them; each is a finding with its text, its trace and advice.",
            unit: "percentunit",
            steps: atMost(0.001, 0.01),
            width: 4,
            query: { expression: q.share([], q.rate("slowQueries"), calls), legend: "slow" },
          },
        ],
      },
      {
        title: "Systems",
        panels: [
          {
            type: "time",
            title: "Calls by system",
            shows: "Calls per second to each database system.",
            good: "Follows the number of requests.",
            otherwise:
              "PostgreSQL rises while Redis does not: a cache no longer hits (Caches). Everything rises with the same requests: an N+1 (Findings).",
            unit: "cps",
            steps: plain,
            width: 12,
            queries: [{ expression: q.sum(["db.system.name"], calls), legend: system }],
          },
          {
            type: "time",
            title: "Mean duration by system",
            shows: "Mean duration of the calls to each database system.",
            good: `Below ${slo.database.meanMs} ms, Redis below 1 ms.`,
            otherwise:
              "If all queries of a system slow down together, the server or the way to it is the cause; if one does, its plan has changed.",
            unit: "s",
            steps: atMost(mean / 2, mean),
            width: 12,
            queries: [
              {
                expression: `${q.sum(["db.system.name"], time)} / ${q.sum(["db.system.name"], calls)}`,
                legend: system,
              },
            ],
          },
        ],
      },
      {
        title: "Queries",
        panels: [
          {
            type: "table",
            title: "Queries",
            shows: "Every query summary in the chosen time; share of time is what it took of all calls' time together.",
            good: "The largest share belongs to what the service is for.",
            otherwise:
              "Begin at the top: a large share with many calls wants a cache or one query for many keys, a large share with few calls wants an index.",
            width: 24,
            rows: [
              { label: "db.system.name", title: "System" },
              { label: "db.query.summary", title: "Query" },
            ],
            columns: [
              {
                title: "Share of time",
                unit: "percentunit",
                steps: plain,
                expression: `${range.sum(QUERY, range.total("dbOperationDuration"))} / scalar(${range.sum([], range.total("dbOperationDuration"))})`,
              },
              { title: "Calls/s", unit: "cps", steps: plain, expression: range.sum(QUERY, rangeCalls) },
              {
                title: "Mean",
                unit: "s",
                steps: atMost(mean / 2, mean),
                expression: `${range.sum(QUERY, range.total("dbOperationDuration"))} / ${range.sum(QUERY, rangeCalls)}`,
              },
              {
                title: "p95",
                unit: "s",
                steps: atMost(mean, mean * 2),
                expression: range.quantile(0.95, "dbOperationDuration", QUERY),
              },
              {
                title: "Errors",
                unit: "percentunit",
                steps: atMost(0.001, 0.01),
                expression: range.share(QUERY, range.count("dbOperationDuration", FAILED), rangeCalls),
              },
              {
                title: "Slow",
                unit: "percentunit",
                steps: atMost(0.001, 0.01),
                expression: range.share(QUERY, range.rate("slowQueries"), rangeCalls),
              },
            ],
          },
          {
            type: "time",
            title: "Share of time by query",
            shows: "The ten queries that took the most time, as a share of all calls' time.",
            good: "The same order as yesterday.",
            otherwise:
              "A query that grows out of its place has lost its index or is called more often: compare with Calls by query.",
            unit: "percentunit",
            steps: plain,
            width: 12,
            queries: [{ expression: `topk(10, ${q.sum(QUERY, time)} / scalar(${q.sum([], time)}))`, legend: query }],
          },
          {
            type: "time",
            title: "p95 by query",
            shows:
              "95 % of a query's calls were faster than this; the ten slowest. The points are exemplars: calls with their traces.",
            good: `Below ${slo.database.meanMs} ms.`,
            otherwise:
              "Open an exemplar's trace: it shows the text of the query and the request that made it. Then EXPLAIN it.",
            unit: "s",
            steps: atMost(mean, mean * 2),
            width: 12,
            queries: [
              {
                expression: `topk(10, ${q.quantile(0.95, "dbOperationDuration", QUERY)})`,
                legend: query,
                exemplars: true,
              },
            ],
          },
          {
            type: "time",
            title: "Calls by query",
            shows: "The ten queries called most often, per second.",
            good: "Follows the number of requests.",
            otherwise: "One that rises by a multiple of the requests is called in a loop: see Findings.",
            unit: "cps",
            steps: plain,
            width: 8,
            queries: [{ expression: `topk(10, ${q.sum(QUERY, calls)})`, legend: query }],
          },
          {
            type: "time",
            title: "Errors by query",
            shows: "Failed calls per second, by error.type: the server's code, or an error of the connection.",
            good: "None.",
            otherwise:
              "Codes of PostgreSQL: 23… is a constraint, 40… a conflict to try again, 53… a server without resources, 57… a server that stops.",
            unit: "cps",
            steps: none,
            width: 8,
            queries: [
              {
                expression: q.sum([...QUERY, "error.type"], q.count("dbOperationDuration", FAILED)),
                legend: `{{${q.label("error.type")}}} ${query}`,
              },
            ],
          },
          {
            type: "time",
            title: "Slow queries",
            shows: "Calls slower than slowQueryMs, per second. The points are exemplars: slow calls with their traces.",
            good: "None.",
            otherwise: "Each has a finding with its text and trace. An index helps most often; see the query's plan.",
            unit: "cps",
            steps: none,
            width: 8,
            queries: [
              {
                expression: q.sum([...QUERY, "telltale.slow.reason"], q.rate("slowQueries")),
                legend: `${query} ({{${q.label("telltale.slow.reason")}}})`,
                exemplars: true,
              },
            ],
          },
        ],
      },
    ],
  };
}

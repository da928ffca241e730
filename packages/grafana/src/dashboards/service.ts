import { FAILED } from "../failures.js";
import { atMost, type DashboardPlan, type Material, none, plain, SERVICE } from "../panel.js";
import { percent } from "../percent.js";
import { BUDGET, requestsBad } from "../rules/names.js";

const ROUTE = { "http.route": "=~$route" } as const;

export function planService({ q, slo }: Material): DashboardPlan {
  const { p95Ms, p99Ms, errorRatio } = slo.requests;
  const p95 = p95Ms / 1000;
  const p99 = p99Ms / 1000;
  const errors = atMost(errorRatio / 2, errorRatio);
  const failed = q.count("httpServerDuration", { ...ROUTE, ...FAILED });
  const all = q.count("httpServerDuration", ROUTE);
  const route = `{{${q.label("http.route")}}}`;
  const range = q.over("$__range");
  const rangeAll = range.count("httpServerDuration", ROUTE);
  const poolUsed = q.max(
    ["instance"],
    `${q.value("poolConnections", { "db.client.connection.state": "=used" })} / ignoring (${q.labels("db.client.connection.state")}) ${q.value("poolLimit")}`,
  );
  const loopBusy = `${q.sum(["instance"], q.rate("loopTime", { "nodejs.eventloop.state": "=active" }))} / ${q.sum(["instance"], q.rate("loopTime"))}`;

  const recorded = q.about(SERVICE).recorded;
  const burning = `${recorded(requestsBad("1h"))} / ${recorded(BUDGET)}`;

  return {
    uid: "telltale-service",
    title: "Service",
    description: "Requests of one service: how many, how fast, how many fail, and what is used up. Start here.",
    variables: ["service", "instance", "route"],
    rows: [
      {
        title: "At a glance",
        panels: [
          {
            type: "stat",
            title: "Requests",
            shows: "Requests served per second.",
            good: "What is usual for this time of the day.",
            otherwise:
              "A fall with no fewer visitors means that requests do not arrive: look at the load balancer and at restarts (Runtime). A rise comes before everything else on this page.",
            unit: "reqps",
            steps: plain,
            width: 4,
            query: { expression: q.sum([], all), legend: "requests" },
          },
          {
            type: "stat",
            title: "Failed",
            shows: `Share of requests that failed: answered with 5xx, or ended by an error. A client that leaves is no failure of ours.`,
            good: `Below ${percent(errorRatio)}, what slo.yaml allows.`,
            otherwise: "See which routes fail and with what below, then open the trace of one of them.",
            unit: "percentunit",
            steps: errors,
            width: 4,
            query: { expression: q.share([], failed, all), legend: "failed" },
          },
          {
            type: "stat",
            title: "p95",
            shows: "95 % of the requests were faster than this.",
            good: `Below ${p95Ms} ms.`,
            otherwise: "Find the route in the table below; the Databases and Pools dashboards say where its time goes.",
            unit: "s",
            steps: atMost(p95 / 2, p95),
            width: 4,
            query: { expression: q.quantile(0.95, "httpServerDuration", [], ROUTE), legend: "p95" },
          },
          {
            type: "stat",
            title: "p99",
            shows: "99 % of the requests were faster than this.",
            good: `Below ${p99Ms} ms.`,
            otherwise:
              "Open the exemplars above the lines of Duration: those requests are the slow ones, and their traces say why.",
            unit: "s",
            steps: atMost(p99 / 2, p99),
            width: 4,
            query: { expression: q.quantile(0.99, "httpServerDuration", [], ROUTE), legend: "p99" },
          },
          {
            type: "stat",
            title: "In flight",
            shows: "Requests being served now, of all routes.",
            good: "About requests per second times mean duration, and steady.",
            otherwise:
              "A number that only grows is a queue: something that requests wait for is used up. See Saturation.",
            unit: "short",
            steps: plain,
            width: 4,
            query: { expression: q.sum([], q.value("httpServerActive")), legend: "in flight" },
          },
          {
            type: "stat",
            title: "Budget burn",
            shows:
              "How fast the error budget of the most endangered objective was used up in the last hour; 1 uses all of it in 30 days. From the recording rules.",
            good: "Below 1.",
            otherwise:
              "Above 14.4, a fiftieth of the month's budget goes each hour: an alert pages. See Budget burn below.",
            unit: "short",
            steps: atMost(1, 6),
            width: 4,
            query: { expression: `max(${burning})`, legend: "burn rate" },
          },
        ],
      },
      {
        title: "Requests",
        panels: [
          {
            type: "time",
            title: "Requests by route",
            shows: "Requests served per second.",
            good: "The usual curve of the day.",
            otherwise: "One route that jumps is a client that retries, a crawler or a loop. Filter by it above.",
            unit: "reqps",
            steps: plain,
            width: 12,
            queries: [{ expression: q.sum(["http.route"], all), legend: route }],
          },
          {
            type: "time",
            title: "Failed requests by route",
            shows: "Share of each route's requests that failed.",
            good: `All below ${percent(errorRatio)}.`,
            otherwise: "Failures by kind says with what; the exemplars of Duration lead to traces.",
            unit: "percentunit",
            steps: errors,
            width: 12,
            queries: [{ expression: q.share(["http.route"], failed, all), legend: route }],
          },
          {
            type: "time",
            title: "Duration",
            shows: "Percentiles of all requests chosen. The points are exemplars: each is a request with its trace.",
            good: `p95 below ${p95Ms} ms, p99 below ${p99Ms} ms, and both flat.`,
            otherwise: "Click a high point and open its trace in Jaeger or Tempo: the longest span is the cause.",
            unit: "s",
            steps: atMost(p95, p99),
            width: 12,
            queries: [
              { expression: q.quantile(0.5, "httpServerDuration", [], ROUTE), legend: "p50" },
              { expression: q.quantile(0.95, "httpServerDuration", [], ROUTE), legend: "p95" },
              { expression: q.quantile(0.99, "httpServerDuration", [], ROUTE), legend: "p99", exemplars: true },
            ],
          },
          {
            type: "time",
            title: "p95 by route",
            shows: "95 % of a route's requests were faster than this.",
            good: `Every route below ${p95Ms} ms.`,
            otherwise:
              "A route that is slow alone has slow queries or too many of them (Findings); all routes slow at once wait for the same thing (Saturation, Pools).",
            unit: "s",
            steps: atMost(p95, p99),
            width: 12,
            queries: [
              {
                expression: q.quantile(0.95, "httpServerDuration", ["http.route"], ROUTE),
                legend: route,
                exemplars: true,
              },
            ],
          },
          {
            type: "table",
            title: "Routes",
            shows: "Every route in the chosen time; share of time is what it took of all requests' time together.",
            good: "What takes the most time is what you expect to.",
            otherwise: "Begin with the route that has the largest share of time: there a cure saves most.",
            width: 24,
            rows: [{ label: "http.route", title: "Route" }],
            columns: [
              {
                title: "Share of time",
                unit: "percentunit",
                steps: plain,
                expression: `${range.sum(["http.route"], range.total("httpServerDuration", ROUTE))} / scalar(${range.sum([], range.total("httpServerDuration", ROUTE))})`,
              },
              { title: "Requests/s", unit: "reqps", steps: plain, expression: range.sum(["http.route"], rangeAll) },
              {
                title: "Failed",
                unit: "percentunit",
                steps: errors,
                expression: range.share(
                  ["http.route"],
                  range.count("httpServerDuration", { ...ROUTE, ...FAILED }),
                  rangeAll,
                ),
              },
              {
                title: "p50",
                unit: "s",
                steps: plain,
                expression: range.quantile(0.5, "httpServerDuration", ["http.route"], ROUTE),
              },
              {
                title: "p95",
                unit: "s",
                steps: atMost(p95 / 2, p95),
                expression: range.quantile(0.95, "httpServerDuration", ["http.route"], ROUTE),
              },
              {
                title: "p99",
                unit: "s",
                steps: atMost(p99 / 2, p99),
                expression: range.quantile(0.99, "httpServerDuration", ["http.route"], ROUTE),
              },
            ],
          },
          {
            type: "time",
            title: "Failures by kind",
            shows:
              "Failed requests per second by error.type: a status, the name of an error, or aborted, when the client left.",
            good: "Nothing but a few aborted.",
            otherwise:
              "5xx: the trace of one names the error. Many aborted: clients give up waiting, so look at durations first.",
            unit: "reqps",
            steps: none,
            width: 12,
            queries: [
              {
                expression: q.sum(
                  ["http.route", "error.type"],
                  q.count("httpServerDuration", { ...ROUTE, "error.type": "!=" }),
                ),
                legend: `{{${q.label("error.type")}}} ${route}`,
              },
            ],
          },
          {
            type: "time",
            title: "In flight",
            shows: "Requests being served, by method, of all routes.",
            good: "Follows the number of requests.",
            otherwise: "Growth while requests stay the same is a queue. See Saturation for what is used up.",
            unit: "short",
            steps: plain,
            width: 12,
            stacked: true,
            queries: [
              {
                expression: q.sum(["http.request.method"], q.value("httpServerActive")),
                legend: `{{${q.label("http.request.method")}}}`,
              },
            ],
          },
        ],
      },
      {
        title: "Limits",
        panels: [
          {
            type: "time",
            title: "Saturation",
            shows: "What each process has used of what it can: its event loop, its CPUs, its fullest connection pool.",
            good: "All below 80 %.",
            otherwise:
              "Event loop: find the JavaScript that runs long (Runtime). Pool: find who holds connections (Pools). CPU: add processes.",
            unit: "percentunit",
            steps: atMost(0.6, 0.8),
            width: 12,
            queries: [
              { expression: loopBusy, legend: "event loop {{instance}}" },
              { expression: q.sum(["instance"], q.value("cpuUtilization")), legend: "CPU {{instance}}" },
              { expression: poolUsed, legend: "pool {{instance}}" },
            ],
          },
          {
            type: "time",
            title: "Budget burn by objective",
            shows:
              "How fast each objective's error budget was used up in the last hour; 1 uses all of it in 30 days. From the recording rules.",
            good: "All below 1.",
            otherwise:
              "errors: see Failures by kind. p95, p99: see p95 by route. Empty: Prometheus has not loaded telltale.rules.yaml.",
            unit: "short",
            steps: [...atMost(1, 6), { from: 14.4, color: "red" }],
            width: 12,
            queries: [{ expression: burning, legend: "{{slo}}" }],
          },
        ],
      },
      {
        title: "Requests to others",
        panels: [
          {
            type: "time",
            title: "Requests sent",
            shows: "Requests to other services per second.",
            good: "A steady multiple of the requests served.",
            otherwise:
              "More per request than before: a loop calls the other service once for each row; ask for many at once.",
            unit: "reqps",
            steps: plain,
            width: 8,
            queries: [
              {
                expression: q.sum(["server.address"], q.count("httpClientDuration")),
                legend: `{{${q.label("server.address")}}}`,
              },
            ],
          },
          {
            type: "time",
            title: "p95 of requests sent",
            shows: "95 % of the requests to another service were answered faster than this.",
            good: "Well below the duration of our own requests.",
            otherwise: "Set a time-out below our own objective and decide what to answer without them.",
            unit: "s",
            steps: atMost(p95, p99),
            width: 8,
            queries: [
              {
                expression: q.quantile(0.95, "httpClientDuration", ["server.address"]),
                legend: `{{${q.label("server.address")}}}`,
                exemplars: true,
              },
            ],
          },
          {
            type: "time",
            title: "Failed requests to others",
            shows:
              "Requests to other services that failed, per second, by error.type: a status from 400 on, or an error of the connection.",
            good: "None.",
            otherwise: "Connection errors: is the other service up? 429: send less. 4xx: what we send is wrong.",
            unit: "reqps",
            steps: none,
            width: 8,
            queries: [
              {
                expression: q.sum(
                  ["server.address", "error.type"],
                  q.count("httpClientDuration", { "error.type": "!=" }),
                ),
                legend: `{{${q.label("error.type")}}} {{${q.label("server.address")}}}`,
              },
            ],
          },
        ],
      },
    ],
  };
}

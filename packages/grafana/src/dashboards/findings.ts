import { atMost, type DashboardPlan, type Material, none, plain, type StatPanel } from "../panel.js";
import { FINDING_PANELS, type FindingPanel } from "./finding-panels.js";

const ROUTE = { "http.route": "=~$route" } as const;

export function planFindings({ q }: Material): DashboardPlan {
  const range = q.over("$__range");
  const kind = q.label("telltale.finding.kind");
  const route = q.label("http.route");
  // 0 where something is watched; nothing where Telltale does not run.
  const watched = `0 * ${q.sum([], q.value("uptime"))}`;
  const stat = ([of, { title, shows, otherwise }]: [string, FindingPanel]): StatPanel => ({
    type: "stat",
    title,
    shows,
    good: "0.",
    otherwise,
    unit: "short",
    steps: none,
    width: 6,
    query: {
      expression: `${range.sum([], range.gained("findings", { ...ROUTE, "telltale.finding.kind": `=${of}` }))} or ${watched}`,
      legend: title,
    },
  });

  return {
    uid: "telltale-findings",
    title: "Findings",
    description:
      "What Telltale has found: slow and repeated queries, pools and caches that do not do their work, blocks of the event loop. Each one is on the span concerned and, with findingsLog, in the log.",
    variables: ["service", "instance", "route"],
    rows: [
      {
        title: "At a glance",
        panels: Object.entries(FINDING_PANELS).map(stat),
      },
      {
        title: "What and where",
        panels: [
          {
            type: "time",
            title: "Findings by kind",
            shows: "Findings per second. The points are exemplars: each is a finding with its trace.",
            good: "None.",
            otherwise: "A kind that appears with a deployment came with it: see which route below.",
            unit: "ops",
            steps: none,
            width: 8,
            queries: [
              {
                expression: q.sum(["telltale.finding.kind"], q.rate("findings", ROUTE)),
                legend: `{{${kind}}}`,
                exemplars: true,
              },
            ],
          },
          {
            type: "time",
            title: "N+1 by route",
            shows: "Requests per second with an N+1, by route.",
            good: "None.",
            otherwise:
              "Filter by the route and open the trace of one of the points, the exemplars: the repeated spans carry telltale.repeat.",
            unit: "ops",
            steps: none,
            width: 8,
            queries: [
              {
                expression: q.sum(
                  ["http.route", "db.system.name"],
                  q.rate("findings", { ...ROUTE, "telltale.finding.kind": "=n_plus_one" }),
                ),
                legend: `{{${route}}} {{${q.label("db.system.name")}}}`,
                exemplars: true,
              },
            ],
          },
          {
            type: "time",
            title: "Slow queries by query",
            shows: "Slow calls per second by query, of all routes.",
            good: "None.",
            otherwise:
              "Look at the plan of the query (EXPLAIN ANALYZE). The points are exemplars: slow calls with their traces.",
            unit: "ops",
            steps: none,
            width: 8,
            queries: [
              {
                expression: q.sum(["db.system.name", "db.query.summary"], q.rate("slowQueries")),
                legend: `{{${q.label("db.system.name")}}} {{${q.label("db.query.summary")}}}`,
                exemplars: true,
              },
            ],
          },
          {
            type: "table",
            title: "Findings",
            shows: "What was found in the chosen time, and on which route; those outside of a request have none.",
            good: "Empty.",
            otherwise: "Begin with the most frequent.",
            width: 24,
            rows: [
              { label: "telltale.finding.kind", title: "Kind" },
              { label: "http.route", title: "Route" },
              { label: "db.system.name", title: "System" },
            ],
            columns: [
              {
                title: "Found",
                unit: "short",
                steps: none,
                // What was found before has a counter still, which has not grown.
                expression: `${range.sum(["telltale.finding.kind", "http.route", "db.system.name"], range.gained("findings", ROUTE))} > 0`,
              },
            ],
          },
        ],
      },
      {
        title: "Telltale itself",
        panels: [
          {
            type: "time",
            title: "Spans",
            shows: "Spans per second by what became of them.",
            good: "exported, and sampled_out where you sample.",
            otherwise:
              "dropped or rejected: the collector is slow, down or refuses them; stderr of the service says which. given_up: traces.keep had more to hold than its bounds allow, so that traces of failed or slow requests may be missing or not whole.",
            unit: "ops",
            steps: plain,
            width: 12,
            queries: [
              {
                expression: q.sum(["telltale.outcome"], q.rate("spans")),
                legend: `{{${q.label("telltale.outcome")}}}`,
              },
            ],
          },
          {
            type: "time",
            title: "What Telltale left out",
            shows:
              "Label values and series refused because there were too many, each time that one was looked for, metrics it could not show, and failures of its own.",
            good: "Empty.",
            otherwise:
              "Labels: something with too many values is a label, such as a table for each day. Failures: that part has switched itself off; please report it.",
            unit: "short",
            steps: atMost(1, 100),
            width: 12,
            queries: [
              {
                expression: q.sum(["telltale.label"], q.value("labelsOverflow")),
                legend: `refused {{${q.label("telltale.label")}}}`,
              },
              {
                expression: q.sum(["telltale.limit"], q.value("limitsReached")),
                legend: `limit: {{${q.label("telltale.limit")}}}`,
              },
              {
                expression: q.sum(["telltale.reason"], q.value("metricsDropped")),
                legend: `not shown: {{${q.label("telltale.reason")}}}`,
              },
              {
                expression: q.sum(["telltale.part"], q.value("errors")),
                legend: `failed: {{${q.label("telltale.part")}}}`,
              },
            ],
          },
        ],
      },
    ],
  };
}

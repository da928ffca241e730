import type { Queries, QueryDetail, QueryItem } from "../../api/answers.js";
import { limitOf, MINUTES, SERVICE } from "../arguments.js";
import { clean } from "../clean.js";
import { describeMoment, describeMs, percent } from "../describe-time.js";
import { inputSchema } from "../input-schema.js";
import { defineTool } from "../tool.js";
import { describeShortly } from "./findings.js";

export const listSlowQueries = defineTool({
  name: "list_slow_queries",
  title: "Queries by cost",
  description:
    "Lists the database queries that cost most: calls, share of all query time, mean and 95th percentile, rows, how many were slow. " +
    "Statements that differ in values only are one. get_query tells who sends one.",
  inputSchema: inputSchema({
    service: SERVICE,
    minutes: MINUTES,
    sort: {
      type: "string",
      description: "What comes first: total time, calls, mean or p95 (default: total).",
      enum: ["total", "calls", "mean", "p95"],
    },
    limit: limitOf(15),
  }),
  async call({ service, minutes, sort = "total", limit }, ask) {
    const { queries, totalMs } = (await ask(["queries"], { service, minutes, sort })) as Queries;
    const shown = queries.slice(0, Number(limit));
    return {
      heading:
        queries.length === 0
          ? `No queries in the last ${minutes} minutes. Send the program some requests, or look back further.`
          : `${shown.length} of ${queries.length} queries of the last ${minutes} minutes, by ${sort}; all took ${describeMs(totalMs)}.`,
      lines: shown.flatMap(describeQuery),
      data: { queries: shown, total: queries.length, totalMs },
    };
  },
});

export const getQuery = defineTool({
  name: "get_query",
  title: "One query",
  description:
    "Tells of one query: its text, which routes and which lines of code send it, its last plan, its findings, and traces to look at.",
  inputSchema: inputSchema(
    {
      fingerprint: {
        type: "string",
        description: "As list_slow_queries names it.",
        minLength: 1,
        maxLength: 200,
      },
      minutes: MINUTES,
    },
    ["fingerprint"],
  ),
  async call({ fingerprint, minutes }, ask) {
    const detail = (await ask(["query", String(fingerprint)], { minutes })) as QueryDetail;
    const { query, callers, sites, plan, findings, examples } = detail;
    const lines = [
      ...describeQuery(query),
      ...callers
        .slice(0, 20)
        .map(
          ({ service, route, calls, perRequest, totalMs }) =>
            `caller: ${clean(service, 80)} ${clean(route, 160)} · ${calls} calls, ${perRequest.toFixed(1)} a request, ${describeMs(totalMs)}`,
        ),
      ...sites.slice(0, 20).map(({ site, calls }) => `site: ${clean(site)} · ${calls} calls`),
      ...(plan === null ? [] : ["plan:", ...plan.split("\n", 60).map((line) => `  ${clean(line)}`)]),
      ...findings.slice(0, 10).flatMap(describeShortly),
      ...examples
        .slice(0, 10)
        .map(
          ({ traceId, startMs, durationMs, isSlowest }) =>
            `trace ${clean(traceId, 40)} · ${describeMs(durationMs)} at ${describeMoment(startMs)}${isSlowest ? " · slowest" : ""}`,
        ),
    ];
    return {
      heading: `One query in the last ${minutes} minutes.`,
      lines,
      data: {
        query,
        callers,
        sites,
        plan,
        examples,
        findings: findings.map(({ id, kind, title }) => ({ id, kind, title })),
      },
    };
  },
});

function describeQuery(query: QueryItem): string[] {
  const { calls, errors, share, totalMs, meanMs, p95Ms, maxMs, rows, slow } = query;
  const facts = [
    `${calls} calls`,
    `${describeMs(totalMs)} (${percent(share)})`,
    `mean ${describeMs(meanMs)}, p95 ${describeMs(p95Ms)}, max ${describeMs(maxMs)}`,
    rows === null ? "" : `${rows.toFixed(1)} rows`,
    slow > 0 ? `${slow} slow` : "",
    errors > 0 ? `${errors} failed` : "",
  ].filter((fact) => fact !== "");
  const where = query.namespace === null ? "" : ` ${clean(query.namespace, 80)}`;
  return [
    `${clean(query.system, 40)}${where}: ${clean(query.text ?? query.summary, 500)}`,
    `  ${facts.join(" · ")}`,
    `  fingerprint ${clean(query.fingerprint, 200)}`,
  ];
}

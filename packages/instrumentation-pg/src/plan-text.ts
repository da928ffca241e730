import { analyzeQuery } from "@telltale/core";
import type { PlanNode } from "./plan-node.js";
import { quoteName, tableName } from "./sql-name.js";

const MAX_TEXT = 4_000;
const MAX_CONDITION = 500;
const CUT = "…";
/** What is told of a step: conditions, in which literals stand. */
const CONDITIONS = [
  "Index Cond",
  "Recheck Cond",
  "Hash Cond",
  "Merge Cond",
  "Join Filter",
  "TID Cond",
  "Order By",
  "One-Time Filter",
  "Filter",
  "Sort Key",
  "Presorted Key",
  "Group Key",
] as const;

/** A plan as psql shows it, without literals, costs and rows rounded by the server; at most 4,000 characters. */
export function writePlan(plan: PlanNode): string {
  const lines: string[] = [];
  write(plan, 0, lines);
  const text = lines.join("\n");
  if (text.length <= MAX_TEXT) return text;
  return `${text.slice(0, text.lastIndexOf("\n", MAX_TEXT - CUT.length - 1))}\n${CUT}`;
}

function write(node: PlanNode, depth: number, lines: string[]): void {
  const indent = "  ".repeat(depth);
  const cost = `cost=${node["Startup Cost"].toFixed(2)}..${node["Total Cost"].toFixed(2)}`;
  const subplan = node["Subplan Name"] === undefined ? "" : `[${String(node["Subplan Name"])}] `;
  lines.push(
    `${indent}${depth === 0 ? "" : "-> "}${subplan}${titleOf(node)}  (${cost} rows=${node["Plan Rows"]} width=${node["Plan Width"]})`,
  );
  for (const name of CONDITIONS) {
    const given = node[name];
    if (given === undefined) continue;
    const text = Array.isArray(given) ? given.map(sanitize).join(", ") : sanitize(given);
    lines.push(`${indent}     ${name}: ${text}`);
  }
  for (const child of node.Plans ?? []) write(child, depth + 1, lines);
}

function titleOf(node: PlanNode): string {
  const { Schema: schema, "Relation Name": table, Alias: alias, "Join Type": join, "Index Name": index } = node;
  const parts = [`${node["Parallel Aware"] === true ? "Parallel " : ""}${node["Node Type"]}`];
  if (typeof join === "string" && join !== "Inner") parts.push(join);
  if (typeof index === "string") parts.push(`using ${quoteName(index)}`);
  if (table !== undefined) {
    parts.push(`on ${tableName(schema, table)}`);
    if (alias !== undefined && alias !== table) parts.push(quoteName(alias));
  }
  return parts.join(" ");
}

/** Literals may be anybody's name: `?` for each, as in a query's text. */
function sanitize(expression: unknown): string {
  const { queryText } = analyzeQuery(String(expression), "postgresql");
  return queryText.length > MAX_CONDITION ? `${queryText.slice(0, MAX_CONDITION)}${CUT}` : queryText;
}

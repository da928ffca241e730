import { analyzeQuery } from "@telltale/core";
import { isPart, isTable, type PlanPart, type PlanTable, rowsOf } from "./plan-node.js";

const MAX_TEXT = 4_000;
const MAX_CONDITION = 500;
const CUT = "…";
/** Steps that are told, by the names that the servers have for them. */
const STEPS: Readonly<Record<string, string>> = {
  filesort: "sort",
  ordering_operation: "sort",
  grouping_operation: "group",
  duplicates_removal: "distinct",
  temporary_table: "temporary table",
  "block-nl-join": "join by buffer",
  union_result: "union",
  materialized: "materialized",
  materialized_from_subquery: "materialized",
  subqueries: "subqueries",
};

/** A plan in lines, without literals; at most 4,000 characters. */
export function writePlan(plan: PlanPart): string {
  const lines: string[] = [];
  write(plan, 0, lines);
  const text = lines.join("\n");
  if (text.length <= MAX_TEXT) return text;
  return `${text.slice(0, text.lastIndexOf("\n", MAX_TEXT - CUT.length - 1))}\n${CUT}`;
}

function write(part: unknown, depth: number, lines: string[]): void {
  if (Array.isArray(part)) for (const one of part) write(one, depth, lines);
  if (!isPart(part)) return;
  for (const [name, inner] of Object.entries(part)) {
    if (typeof inner !== "object" || inner === null) continue;
    const indent = "  ".repeat(depth);
    if (isTable(name, inner)) {
      lines.push(`${indent}${lineOf(inner)}`);
      if (inner.attached_condition !== undefined) {
        lines.push(`${indent}     where ${withoutLiterals(inner.attached_condition)}`);
      }
      write(inner, depth + 1, lines);
    } else if (name === "table" && "message" in inner) lines.push(`${indent}${String(inner.message)}`);
    else if (STEPS[name] === undefined) write(inner, depth, lines);
    else {
      lines.push(`${indent}${STEPS[name]}${detailOf(inner)}`);
      write(inner, depth + 1, lines);
    }
  }
}

function lineOf(table: PlanTable): string {
  const { table_name: name, access_type: access = "?", key } = table;
  const filtered = table.filtered === undefined ? "" : ` filtered=${Number(table.filtered)}%`;
  return `${name}  (${access}${key === undefined ? "" : ` using ${key}`} rows=${rowsOf(table)}${filtered})`;
}

function detailOf(part: object): string {
  const { sort_key: key, attached_condition: condition } = part as { sort_key?: unknown; attached_condition?: unknown };
  if (typeof key === "string") return ` by ${withoutLiterals(key)}`;
  return typeof condition === "string" ? ` on ${withoutLiterals(condition)}` : "";
}

/** Literals may be anybody's name: `?` for each, as in a query's text. */
function withoutLiterals(expression: string): string {
  const { queryText } = analyzeQuery(expression, "mysql");
  return queryText.length > MAX_CONDITION ? `${queryText.slice(0, MAX_CONDITION)}${CUT}` : queryText;
}

import type { PlanAdvice } from "@telltale/core";
import type { TableFacts } from "./explain-catalog.js";
import { type Comparison, readComparison, readEquality, readSortKey, splitConjunction } from "./plan-condition.js";
import { type PlacedNode, type PlanNode, walkPlan } from "./plan-node.js";
import { quoteName, tableName } from "./sql-name.js";

/** Reading fewer rows than this takes a few milliseconds whatever the plan. */
const MANY_ROWS = 10_000;
/** An index is worth a try where it leaves less than this share of the table. */
const SELECTIVE = 0.05;
/** So many rows per key still need sorting: then the sort keys belong to the index. */
const WORTH_SORTING = 100;
/** A nested loop that compares more pairs of rows takes a second. */
const MANY_PAIRS = 10_000_000;
/** What is returned that nobody expected; below that, no join order matters. */
const MANY_RETURNED = 1_000;
/** Pages of a table without statistics about which the planner cannot be far off. */
const FEW_PAGES = 100;
const FAR_OFF = 100;
/** Of the memory for a sorted row, beside its width. */
const ROW_OVERHEAD = 24;
/** What each process beside the first takes of the first one's time. */
const LEADER_SHARE = 0.3;

/** What advice is made of. */
export interface Explained {
  readonly plan: PlanNode;
  readonly tables: readonly TableFacts[];
  /** Bytes a sort may take in memory. */
  readonly workMem: number;
  /** What the call returned, where it was explained with the very values it had. */
  readonly rows: number | undefined;
}

/** What stands out in a plan. Pure; the worst first, each piece once. */
export function advise(explained: Explained): PlanAdvice[] {
  const placed = walkPlan(explained.plan);
  const advice = [
    ...staleStatistics(explained),
    ...placed.flatMap((at) => missingIndex(at, explained)),
    ...placed.flatMap((at) => slowJoin(at, explained)),
    ...placed.flatMap((at) => largeSort(at, explained)),
    ...wrongEstimate(explained),
  ];
  const seen = new Set<string>();
  return advice.filter(({ kind, index, text }) => {
    const key = index ?? `${kind} ${text}`;
    return !seen.has(key) && seen.add(key) !== undefined;
  });
}

function missingIndex({ node, above }: PlacedNode, { tables, rows = 0 }: Explained): PlanAdvice[] {
  const table = factsOf(node, tables);
  if (node["Node Type"] !== "Seq Scan" || table === undefined || node.Filter === undefined) return [];
  // How selective the filter is would be a guess.
  if (table.isAnalyzed === false) return [];
  const all = rowsOf(table);
  const isTop = above.every((one) => one["Node Type"] === "Gather");
  const left = Math.max(node["Plan Rows"] * processesOf(node, above), isTop ? rows : 0);
  if (all < MANY_ROWS || left > all * SELECTIVE) return [];
  const { Alias: alias = table.name } = node;
  const comparisons = comparisonsOf(node, table);
  const columns = columnsFor(comparisons);
  if (columns.length === 0) return [];
  if (left >= WORTH_SORTING && comparisons.every((one) => one.isEqual)) columns.push(...sortedBy(above, alias, table));
  if (isServed(columns, table)) return [];
  const index = writeIndex(table, columns);
  const text = `All ${rounded(all)} rows of ${table.name} are read for about ${rounded(left)}: try CREATE INDEX CONCURRENTLY ON ${index}.`;
  return [{ kind: "missing_index", text, index }];
}

/** A cast of the column hides it from an index on it, but for those that change nothing. */
function isServable({ column, cast, call }: Comparison, table: TableFacts): boolean {
  if (cast === undefined) return true;
  return cast === "text" && (call !== undefined || table.columns[column] === "character varying");
}

/** What the filter of a scan compares for equality, as far as an index serves it. */
function equalColumns(node: PlanNode, table: TableFacts): string[] {
  if (node["Node Type"] !== "Seq Scan") return [];
  return columnsFor(comparisonsOf(node, table).filter(({ isEqual }) => isEqual));
}

function comparisonsOf({ Filter: filter = "", Alias: alias }: PlanNode, table: TableFacts): Comparison[] {
  return splitConjunction(filter)
    .map((part) => readComparison(part, alias ?? table.name))
    .filter((one) => one !== undefined)
    .filter((one) => table.columns[one.column] !== undefined && isServable(one, table));
}

/** Those compared for equality first, then one range. */
function columnsFor(comparisons: readonly Comparison[]): string[] {
  const name = ({ column, call }: Comparison): string => (call ? `${call}(${quoteName(column)})` : quoteName(column));
  const equal = comparisons.filter(({ isEqual }) => isEqual).map(name);
  const range = comparisons.find(({ isEqual }) => !isEqual);
  return [...new Set(range === undefined ? equal : [...equal, name(range)])];
}

/** The sort keys above a scan, where nothing but the way of the rows lies between, and all are columns of its table. */
function sortedBy(above: readonly PlanNode[], alias: string, table: TableFacts): string[] {
  const sort = above.find((node) => node["Node Type"] !== "Gather" && node["Node Type"] !== "Gather Merge");
  if (sort?.["Node Type"] !== "Sort") return [];
  return sortColumns(sort, alias, table) ?? [];
}

function sortColumns(sort: PlanNode, alias: string, table: TableFacts): string[] | undefined {
  const keys = (sort["Sort Key"] ?? []).map(readSortKey);
  if (keys.some((key) => key?.alias !== alias || table.columns[key.column] === undefined)) return undefined;
  // An index is read backwards as well as forwards.
  const isOneWay = new Set(keys.map((key) => key?.order)).size <= 1 && !keys[0]?.order.includes("NULLS");
  return keys.flatMap((key) => (key === undefined ? [] : [`${quoteName(key.column)}${isOneWay ? "" : key.order}`]));
}

function slowJoin({ node, above }: PlacedNode, { tables }: Explained): PlanAdvice[] {
  if (node["Node Type"] !== "Nested Loop") return [];
  const [outer, inner] = node.Plans ?? [];
  if (outer === undefined || inner === undefined) return [];
  const scan = inner["Node Type"] === "Materialize" || inner["Node Type"] === "Memoize" ? inner.Plans?.[0] : inner;
  if (scan?.["Node Type"] !== "Seq Scan") return [];
  const table = factsOf(scan, tables);
  if (table === undefined) return [];
  const times = outer["Plan Rows"] * processesOf(node, above);
  // What is kept from the first time is not read again, but compared again.
  const pairs = times * (scan === inner ? Math.max(rowsOf(table), scan["Plan Rows"]) : scan["Plan Rows"]);
  if (pairs < MANY_PAIRS) return [];
  const { Alias: alias = table.name } = scan;
  const condition = node["Join Filter"];
  const worst = `A nested loop compares about ${rounded(times)} rows with ${rounded(pairs / times)} rows of ${table.name} each`;
  const column = splitConjunction(condition ?? "")
    .flatMap((part) => readEquality(part) ?? [])
    .find((one) => one.alias === alias && table.columns[one.column] !== undefined)?.column;
  if (column !== undefined && !isServed([quoteName(column)], table)) {
    const index = writeIndex(table, [quoteName(column)]);
    return [{ kind: "nested_loop", text: `${worst}: try CREATE INDEX CONCURRENTLY ON ${index}.`, index }];
  }
  const cure =
    condition === undefined
      ? "no condition joins them, which is hardly meant."
      : "join them by an equality of columns, which can be hashed or looked up, or reduce one side first.";
  return [{ kind: "nested_loop", text: `${worst}: ${cure}` }];
}

function largeSort({ node, above }: PlacedNode, { tables, workMem }: Explained): PlanAdvice[] {
  const [input] = node.Plans ?? [];
  if (node["Node Type"] !== "Sort" || input === undefined) return [];
  const rows = input["Plan Rows"] * processesOf(node, above);
  if (rows < MANY_ROWS) return [];
  const parent = above.find((one) => one["Node Type"] !== "Gather" && one["Node Type"] !== "Gather Merge");
  if (parent?.["Node Type"] === "Limit") {
    const table = factsOf(input, tables);
    const columns = table && sortColumns(node, input.Alias ?? table.name, table);
    if (table === undefined || columns === undefined || isServed(columns.map(bare), table)) return [];
    // What is compared for equality comes first: within it the index has the order, and nothing is read in vain.
    columns.unshift(...equalColumns(input, table).filter((column) => !columns.map(bare).includes(column)));
    const index = writeIndex(table, columns);
    const text = `${rounded(rows)} rows of ${table.name} are read and sorted for the first ${rounded(parent["Plan Rows"])}: try CREATE INDEX CONCURRENTLY ON ${index}.`;
    return [{ kind: "large_sort", text, index }];
  }
  // Each process sorts its own share, in memory of its own.
  const bytes = input["Plan Rows"] * (aligned(input["Plan Width"]) + ROW_OVERHEAD);
  if (bytes <= workMem) return [];
  const text = `About ${rounded(rows)} rows, ${megabytes(bytes)}, are sorted with ${megabytes(workMem)} of work_mem, so on disk: read fewer rows or columns, sort by the columns of an index, or raise work_mem for this query.`;
  return [{ kind: "large_sort", text }];
}

/** What the planner reckons with is not what is there. */
function staleStatistics({ tables }: Explained): PlanAdvice[] {
  return tables.flatMap(({ name, schema, isAnalyzed, pages, liveRows, changedRows, planRows }): PlanAdvice[] => {
    const analyze = `run ANALYZE ${tableName(schema, name)}, and see why autovacuum did not.`;
    if (isAnalyzed === false && pages >= FEW_PAGES) {
      return [{ kind: "misestimate", text: `${name} was never analysed, so the plan is a guess: ${analyze}` }];
    }
    // Loaded and analysed in one transaction, all rows count as changed since; then they are as many as the statistics say.
    const isFarOff = liveRows > planRows * 2 || planRows > liveRows * 2;
    if (changedRows < MANY_ROWS || changedRows < liveRows || !isFarOff) return [];
    const text = `${name} has ${rounded(liveRows)} rows, of which ${rounded(changedRows)} were changed since it was analysed (then ${rounded(Math.max(0, planRows))}): ${analyze}`;
    return [{ kind: "misestimate", text }];
  });
}

/** What a call returned is the only count that is known without running it again. */
function wrongEstimate({ plan, rows }: Explained): PlanAdvice[] {
  const estimate = plan["Plan Rows"];
  if (rows === undefined || rows < MANY_RETURNED || rows < estimate * FAR_OFF) return [];
  const text = `The server expected ${rounded(estimate)} rows and returned ${rounded(rows)}: columns that depend on each other need CREATE STATISTICS, and then ANALYZE.`;
  return [{ kind: "misestimate", text }];
}

function factsOf(node: PlanNode, tables: readonly TableFacts[]): TableFacts | undefined {
  return tables.find(({ schema, name }) => schema === node.Schema && name === node["Relation Name"]);
}

function rowsOf({ planRows, liveRows }: TableFacts): number {
  return Math.max(planRows, liveRows);
}

/** Rows of a step that several processes share are rows of each: by how much they are to be multiplied. */
function processesOf(node: PlanNode, above: readonly PlanNode[]): number {
  const gather = above.find((one) => one["Workers Planned"] !== undefined);
  if (gather === undefined || (node["Parallel Aware"] !== true && !walkPlan(node).some(isParallel))) return 1;
  const workers = gather["Workers Planned"] ?? 0;
  return workers + Math.max(0, 1 - LEADER_SHARE * workers);
}

function isParallel({ node }: PlacedNode): boolean {
  return node["Parallel Aware"] === true;
}

/** Whether an index begins with these columns, in any order. */
function isServed(columns: readonly string[], { indexes }: TableFacts): boolean {
  const wanted = columns.map(bare);
  return indexes.some((index) => {
    const first = new Set(index.slice(0, wanted.length).map((column) => (column === null ? null : quoteName(column))));
    return wanted.every((column) => first.has(column));
  });
}

function bare(column: string): string {
  return column.replace(/(?: DESC| NULLS FIRST| NULLS LAST)+$/, "");
}

function writeIndex(table: Pick<TableFacts, "schema" | "name">, columns: readonly string[]): string {
  return `${tableName(table.schema, table.name)} (${columns.join(", ")})`;
}

function aligned(bytes: number): number {
  return Math.ceil(bytes / 8) * 8;
}

function megabytes(bytes: number): string {
  return `${Math.max(0.1, bytes / 1024 ** 2).toFixed(bytes < 10 * 1024 ** 2 ? 1 : 0)} MB`;
}

/** `3`, `1,200`: whole rows; beyond a thousand two digits are exact enough for an estimate. */
function rounded(rows: number): string {
  return (rows < 1_000 ? Math.round(rows) : Number(rows.toPrecision(2))).toLocaleString("en-US");
}

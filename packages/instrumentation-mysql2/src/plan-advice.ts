import type { PlanAdvice } from "@telltale/core";
import type { TableFacts } from "./explain-catalog.js";
import type { StrictToken } from "./explain-tokens.js";
import type { AliasedTable } from "./plan-alias.js";
import { type Comparison, readComparison, readEquality, readSortKeys, splitConjunction } from "./plan-condition.js";
import { type PlacedTable, type PlanPart, rowsOf, shareOf, walkTables } from "./plan-node.js";

/** Reading fewer rows than this takes a few milliseconds whatever the plan. */
const MANY_ROWS = 10_000;
/** An index is worth a try where it leaves less than this share of the table. */
const SELECTIVE = 0.05;
/** So many rows per key still need sorting: then the sort keys belong to the index. */
const WORTH_SORTING = 100;
/** A join that compares more pairs of rows takes a second. */
const MANY_PAIRS = 10_000_000;
/** What a condition of which nothing is known is taken to leave. */
const GUESSED = 0.1;
/** Types that can be a key as a whole. */
const KEY_TYPES =
  /^(?:(?:tiny|small|medium|big)?int|decimal|float|double|bit|(?:var)?(?:char|binary)|date|datetime|timestamp|time|year|enum|set|uuid|inet[46])$/;
const TEXT_TYPES = /char|enum|set/;
/** What makes fewer rows, or others, of those that were found. */
const FOLDING = new Set("group distinct having union except intersect over offset fetch".split(" "));
const FOLDING_CALLS = new Set("count sum min max avg std stddev variance group_concat".split(" "));

/** What advice is made of. */
export interface Explained {
  readonly plan: PlanPart;
  readonly tables: readonly AliasedTable[];
  /** Of the query's text. */
  readonly tokens: readonly StrictToken[];
  /** What the call returned. */
  readonly rows: number | undefined;
  /** Bytes a sort may take in memory. */
  readonly sortBuffer: number;
  /** That the connection is in: what is there is called without it. */
  readonly database: string | null;
}

/** What stands out in a plan. Pure; the worst first, each piece once. */
export function advise(explained: Explained): PlanAdvice[] {
  const placed = walkTables(explained.plan);
  const advice = [
    ...placed.flatMap((at) => missingIndex(at, placed, explained)),
    ...placed.flatMap((at) => slowJoin(at, explained)),
    ...placed.flatMap((at) => largeSort(at, explained)),
  ];
  const seen = new Set<string>();
  return advice.filter(({ index, text }) => !seen.has(index ?? text) && seen.add(index ?? text) !== undefined);
}

function missingIndex(at: PlacedTable, all: readonly PlacedTable[], explained: Explained): PlanAdvice[] {
  const { table, above } = at;
  const facts = factsOf(table.table_name, explained);
  const rows = rowsOf(table);
  if (table.access_type !== "ALL" || facts === undefined || rows < MANY_ROWS) return [];
  const share = shareOf(table);
  const left = share === undefined ? rowsFound(at, all, explained) : rows * share;
  if (left === undefined || left > rows * SELECTIVE) return [];
  const comparisons = splitConjunction(table.attached_condition ?? "").flatMap((part) => {
    const one = readComparison(part);
    return one?.alias === table.table_name && isServable(one, facts) ? one : [];
  });
  const columns = columnsFor(comparisons);
  if (columns.length === 0) return [];
  if (left >= WORTH_SORTING && comparisons.every(({ isEqual }) => isEqual)) {
    columns.push(...(sortColumns(above[0]?.part, table.table_name, facts) ?? []));
  }
  if (isServed(columns, facts)) return [];
  const { index, cure } = proposeIndex(facts, columns, explained);
  const about = share === undefined ? "" : "about ";
  const text = `All ${rounded(rows)} rows of ${facts.name} are read for ${about}${rounded(left)}: ${cure}`;
  return [{ kind: "missing_index", text, index }];
}

/**
 * The servers seldom know how many rows a condition leaves. What the call returned tells, where each row of this table that passes is returned,
 * or makes at most one with those it is joined to.
 */
function rowsFound(at: PlacedTable, all: readonly PlacedTable[], { tokens, rows }: Explained): number | undefined {
  const others = all.filter((one) => one !== at);
  const isPlain = others.every(
    ({ table, before }) =>
      ["eq_ref", "const", "system"].includes(table.access_type ?? "") &&
      table.attached_condition === undefined &&
      (before.includes(at.table) || table.access_type !== "eq_ref"),
  );
  if (rows === undefined || !isPlain || !isOneSelect(tokens) || tokens.some(folds)) return undefined;
  const limit = tokens.findIndex(({ key }) => key === "limit");
  if (limit < 0) return rows;
  const [most, ...behind] = tokens.slice(limit + 1);
  return behind.every(({ key }) => key === ";") && rows < Number(most?.key) ? rows : undefined;
}

function folds({ kind, key }: StrictToken): boolean {
  return kind === "word" && (FOLDING.has(key) || FOLDING_CALLS.has(key));
}

function isOneSelect(tokens: readonly StrictToken[]): boolean {
  return tokens.filter(({ kind, key }) => kind === "word" && key === "select").length === 1;
}

/** A text that is compared with numbers is made one of, row by row. */
function isServable({ column, isNumeric }: Comparison, { columns }: TableFacts): boolean {
  const type = columns.get(column);
  return type !== undefined && KEY_TYPES.test(type) && !(isNumeric && TEXT_TYPES.test(type));
}

/** Those compared for equality first, then one range. */
function columnsFor(comparisons: readonly Comparison[]): string[] {
  const equal = comparisons.filter(({ isEqual }) => isEqual);
  const range = comparisons.filter(({ isEqual }) => !isEqual).slice(0, 1);
  return [...new Set([...equal, ...range].map(({ column }) => column))];
}

/** The keys by which rows of this table are sorted right above it, where an index could have them in that order. */
function sortColumns(part: PlanPart | undefined, alias: string, facts: TableFacts): string[] | undefined {
  const { sort_key: key } = part ?? {};
  const keys = typeof key === "string" ? readSortKeys(key) : undefined;
  const isKept = keys?.every((one) => one.alias === alias && KEY_TYPES.test(facts.columns.get(one.column) ?? ""));
  // An index is read backwards as well as forwards, and has one direction in older releases.
  return isKept && new Set(keys?.map(({ isDown }) => isDown)).size === 1
    ? keys?.map(({ column }) => column)
    : undefined;
}

function slowJoin({ table, above, before }: PlacedTable, explained: Explained): PlanAdvice[] {
  const join = above[1]?.name === "block-nl-join" ? above[0]?.part : undefined;
  const isBuffered = join?.["join_type"] === "BNL" || table["using_join_buffer"] === "Block Nested Loop";
  const facts = factsOf(table.table_name, explained);
  if (!isBuffered || facts === undefined || table.access_type !== "ALL") return [];
  const left = (one: PlacedTable["table"]): number =>
    rowsOf(one) * (shareOf(one) ?? (one.attached_condition === undefined || one === table ? 1 : GUESSED));
  const times = before.reduce((product, one) => product * left(one), 1);
  const inner = left(table);
  if (before.length === 0 || times * inner < MANY_PAIRS) return [];
  const worst = `A join compares about ${rounded(times)} rows with ${rounded(inner)} rows of ${facts.name} each`;
  const condition = join?.["attached_condition"] ?? table.attached_condition;
  const column = splitConjunction(typeof condition === "string" ? condition : "")
    .flatMap((part) => readEquality(part) ?? [])
    .find(({ alias, column }) => alias === table.table_name && KEY_TYPES.test(facts.columns.get(column) ?? ""))?.column;
  if (column !== undefined && !isServed([column], facts)) {
    const { index, cure } = proposeIndex(facts, [column], explained);
    return [{ kind: "nested_loop", text: `${worst}: ${cure}`, index }];
  }
  const cure =
    condition === undefined
      ? "no condition joins them, which is hardly meant."
      : "join them by an equality of columns that can be looked up, or reduce one side first.";
  return [{ kind: "nested_loop", text: `${worst}: ${cure}` }];
}

function largeSort({ table, above }: PlacedTable, explained: Explained): PlanAdvice[] {
  const { tokens, rows: returned, sortBuffer } = explained;
  const facts = factsOf(table.table_name, explained);
  const sort = above[0]?.part;
  const rows = rowsOf(table);
  // With a filter it may be the filter that needs the index.
  if (facts === undefined || typeof sort?.["sort_key"] !== "string" || table.attached_condition !== undefined)
    return [];
  if (rows < MANY_ROWS || returned === undefined || !isOneSelect(tokens) || tokens.some(folds)) return [];
  if (tokens.some(({ key }) => key === "limit")) {
    const columns = sortColumns(sort, table.table_name, facts);
    if (columns === undefined || isServed(columns, facts) || returned > rows * SELECTIVE) return [];
    const { index, cure } = proposeIndex(facts, columns, explained);
    const text = `${rounded(rows)} rows of ${facts.name} are read and sorted for the first ${rounded(returned)}: ${cure}`;
    return [{ kind: "large_sort", text, index }];
  }
  const bytes = rows * facts.rowLength;
  // Only the columns that are asked for are sorted.
  if (bytes < sortBuffer * 2 || returned < MANY_ROWS) return [];
  const text = `About ${rounded(rows)} rows, up to ${megabytes(bytes)}, are sorted with ${megabytes(sortBuffer)} of sort_buffer_size, so probably on disk: read fewer rows or columns, sort by the columns of an index, or raise sort_buffer_size for this query.`;
  return [{ kind: "large_sort", text }];
}

function factsOf(alias: string, { tables }: Explained): TableFacts | undefined {
  return tables.find((one) => one.alias === alias)?.facts;
}

/** Whether an index begins with these columns, in any order. */
function isServed(columns: readonly string[], { indexes }: TableFacts): boolean {
  return indexes.some((index) => {
    const first = new Set(index.slice(0, columns.length));
    return columns.every((column) => first.has(column));
  });
}

/** What an index that is proposed looks like, and how it is made. */
function proposeIndex(facts: TableFacts, columns: readonly string[], { database }: Explained) {
  const { schema, name } = facts;
  const table = schema === database ? quoteName(name) : `${quoteName(schema)}.${quoteName(name)}`;
  const list = `(${columns.map(quoteName).join(", ")})`;
  return { index: `${table} ${list}`, cure: `try ALTER TABLE ${table} ADD INDEX ${list}.` };
}

/** A name as SQL has it: quoted where it must be. */
function quoteName(name: string): string {
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(name) ? name : `\`${name.replaceAll("`", "``")}\``;
}

function megabytes(bytes: number): string {
  return `${Math.max(0.1, bytes / 1024 ** 2).toFixed(bytes < 10 * 1024 ** 2 ? 1 : 0)} MB`;
}

/** `1,200`; beyond that two digits are exact enough for an estimate. */
function rounded(rows: number): string {
  return Number(rows.toPrecision(rows < 1_000 ? 3 : 2)).toLocaleString("en-US");
}

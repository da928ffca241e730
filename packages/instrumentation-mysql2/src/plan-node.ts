/** A table that a plan reads, as `EXPLAIN FORMAT=JSON` writes it; what is not named here is of no use to us. */
export interface PlanTable {
  /** Its alias, where it has one. */
  readonly table_name: string;
  readonly access_type?: string;
  readonly key?: string;
  /** Rows read each time: MariaDB's name for it, and MySQL's. */
  readonly rows?: number;
  readonly rows_examined_per_scan?: number;
  /** How many of them pass the condition, in percent; 100 also where nobody knows. MySQL has a text. */
  readonly filtered?: number | string;
  readonly attached_condition?: string;
  readonly [other: string]: unknown;
}

/** Any part of a plan. */
export type PlanPart = Readonly<Record<string, unknown>>;

/** Of what EXPLAIN answered; throws where that is no plan. */
export function readPlan(json: string): PlanPart {
  const answer = JSON.parse(json) as PlanPart | null;
  if (!isPart(answer?.["query_block"])) throw new TypeError("expected a plan");
  return answer as PlanPart;
}

/** A table with what lies above it, the nearest first, and those joined before it. */
export interface PlacedTable {
  readonly table: PlanTable;
  readonly above: readonly { readonly name: string; readonly part: PlanPart }[];
  readonly before: readonly PlanTable[];
}

/** All tables, in the plan's order. */
export function walkTables(plan: PlanPart): PlacedTable[] {
  const found: PlacedTable[] = [];
  walk(plan, [], [], found);
  return found;
}

/** `before` is shared by those of one join, as they are found. */
function walk(part: unknown, above: PlacedTable["above"], before: PlanTable[], found: PlacedTable[]): void {
  if (Array.isArray(part)) for (const one of part) walk(one, above, before, found);
  if (!isPart(part)) return;
  for (const [name, inner] of Object.entries(part)) {
    const here = [{ name, part }, ...above];
    if (name === "nested_loop") walk(inner, above, [], found);
    else if (isTable(name, inner)) {
      found.push({ table: inner, above: here, before: [...before] });
      before.push(inner);
      walk(inner["materialized"] ?? inner["materialized_from_subquery"], here, [], found);
    } else walk(inner, here, before, found);
  }
}

export function tablesIn(plan: PlanPart): PlanTable[] {
  return walkTables(plan).map(({ table }) => table);
}

export function isTable(name: string, part: unknown): part is PlanTable {
  return name === "table" && isPart(part) && typeof part["table_name"] === "string";
}

export function isPart(part: unknown): part is PlanPart {
  return typeof part === "object" && part !== null && !Array.isArray(part);
}

export function rowsOf({ rows, rows_examined_per_scan: examined }: PlanTable): number {
  return rows ?? examined ?? 0;
}

/** The share of rows that pass, where something is known about it: MySQL's is a guess where it has no histogram, and does not say so. */
export function shareOf({ filtered, rows_examined_per_scan: examined }: PlanTable): number | undefined {
  if (examined !== undefined) return undefined;
  const percent = Number(filtered ?? 100);
  return percent > 0 && percent < 100 ? percent / 100 : undefined;
}

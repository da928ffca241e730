import type { FoundTable, TableFacts } from "./explain-catalog.js";
import type { StrictToken } from "./explain-tokens.js";

/** A table by the name that a plan has for it. */
export interface AliasedTable {
  readonly alias: string;
  readonly facts: TableFacts;
}

/** Which table a plan means: it has none but the names that the query gives them. Empty where that may be several. */
export function findAliased(
  alias: string,
  tokens: readonly StrictToken[],
  tables: readonly FoundTable[],
): readonly { readonly alias: string; readonly table: FoundTable }[] {
  const found = new Set<FoundTable>();
  for (const [at, { kind, name }] of tokens.entries()) {
    const table = kind === "word" || kind === "name" ? tables.find((one) => one.name === name) : undefined;
    if (table === undefined) continue;
    const next = tokens[tokens[at + 1]?.key === "as" ? at + 2 : at + 1];
    if (name === alias || next?.name === alias) found.add(table);
  }
  const isTwice = tables.filter(({ name }) => [...found].some((one) => one.name === name)).length > 1;
  return isTwice || found.size > 1 ? [] : [...found].map((table) => ({ alias, table }));
}

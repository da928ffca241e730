import { type Explanation, NotExplained } from "@telltale/core";
import { advise } from "./plan-advice.js";
import { readPlan, tablesOf } from "./plan-node.js";
import { writePlan } from "./plan-text.js";
import { type Ask, type Danger, findDangers, readServer, readTables, type ServerFacts } from "./explain-catalog.js";
import { namesOf, type PlainSelect } from "./explain-safety.js";

/** For each statement of ours, planning among them; and for a lock on the tables, which others hold for DDL only. In ms. */
const STATEMENT_MS = 1_000;
const LOCK_MS = 100;
/** Views within views. */
const MAX_DEPTH = 5;
/** `plan_cache_mode` came with it. */
const GENERIC_SINCE = 120_000;
/** Strings are read as `explain-tokens.ts` reads them. Nothing here outlives the transaction, so it may run behind a pooler. */
const BEGIN = [
  "BEGIN TRANSACTION ISOLATION LEVEL READ COMMITTED READ ONLY",
  `SET LOCAL statement_timeout = ${STATEMENT_MS}`,
  `SET LOCAL lock_timeout = ${LOCK_MS}`,
  `SET LOCAL idle_in_transaction_session_timeout = ${STATEMENT_MS * 5}`,
  "SET LOCAL standard_conforming_strings = on",
].join("; ");

/** What a session needs of its connection. */
export interface Connection {
  readonly ask: Ask;
  /** Runs a text of ours that may have several statements. */
  run(text: string): Promise<void>;
}

/**
 * Explains a query in a read-only transaction that is rolled back. The texts of others go by the extended protocol only, so that the server, too, takes no
 * second statement. Parameters have no values: the plan is the generic one, by PREPARE and `EXPLAIN EXECUTE`, from PostgreSQL 12 on
 * (`GENERIC_PLAN` of PostgreSQL 16 does not go by the extended protocol, which wants values for it and then uses them).
 */
export async function explainSelect(
  { ask, run }: Connection,
  text: string,
  select: PlainSelect,
  rows: number | undefined,
): Promise<Explanation> {
  const statement = `telltale_${Math.random().toString(36).slice(2)}`;
  let end = "ROLLBACK";
  await run(BEGIN);
  try {
    const server = await readServer(ask);
    checkServer(server, select);
    await checkNames(ask, select);
    let answer: readonly string[];
    if (select.parameters === 0) answer = await ask(`EXPLAIN (FORMAT JSON, VERBOSE) ${text}`);
    else {
      await run("SET LOCAL plan_cache_mode = force_generic_plan");
      // In one message with ROLLBACK, so that a pooler has both done by the server that has prepared it.
      end = `ROLLBACK; DEALLOCATE ${statement}`;
      await ask(`PREPARE ${statement} AS ${text}`);
      const nothing = Array.from({ length: select.parameters }, () => "NULL");
      answer = await ask(`EXPLAIN (FORMAT JSON, VERBOSE) EXECUTE ${statement}(${nothing.join(", ")})`);
    }
    const plan = readPlan(answer.join(""));
    const tables = await readTables(ask, tablesOf(plan));
    const exactRows = select.parameters === 0 ? rows : undefined;
    return { plan: writePlan(plan), advice: advise({ plan, tables, workMem: server.workMem, rows: exactRows }) };
  } finally {
    // It fails where the connection is gone, or nothing was prepared.
    await run(end).catch(() => {});
  }
}

function checkServer({ version, isUtf8, readsInformationSchema }: ServerFacts, { parameters }: PlainSelect): void {
  if (!isUtf8) throw new NotExplained("its connection is not in UTF-8");
  if (readsInformationSchema) throw new NotExplained("information_schema is in its search_path");
  if (parameters > 0 && !(version >= GENERIC_SINCE)) {
    throw new NotExplained("a plan without its parameters needs PostgreSQL 12 or newer");
  }
}

/** Asks the catalog, also of what the views and policies in it name. */
async function checkNames(ask: Ask, select: PlainSelect): Promise<void> {
  const names = new Set(select.names);
  const operators = new Set(select.operators);
  const known = new Set<string>();
  for (let depth = 0; depth < MAX_DEPTH; depth++) {
    const dangers: readonly Danger[] = await findDangers(ask, [...names], [...operators]);
    const definitions: string[] = [];
    for (const [reason, definition] of dangers) {
      if (definition === null) throw new NotExplained(`it ${reason}`);
      if (!known.has(definition)) definitions.push(definition);
    }
    if (definitions.length === 0) return;
    for (const definition of definitions) {
      known.add(definition);
      const found = namesOf(definition);
      if (typeof found === "string") throw new NotExplained(`in a view or policy of it ${found}`);
      for (const name of found.names) names.add(name);
      for (const operator of found.operators) operators.add(operator);
    }
  }
  throw new NotExplained("it has views in views in views");
}

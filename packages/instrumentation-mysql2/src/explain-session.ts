import { type Explanation, type MysqlSystem, NotExplained } from "@telltale/core";
import { type Ask, findTables, type FoundTable, readServer, readTable, type ServerFacts } from "./explain-catalog.js";
import type { PlainSelect } from "./explain-safety.js";
import { type AliasedTable, findAliased } from "./plan-alias.js";
import { advise } from "./plan-advice.js";
import { readPlan, tablesIn } from "./plan-node.js";
import { writePlan } from "./plan-text.js";

/** For each statement of ours, planning among them. */
const STATEMENT_MS = 1_000;
/** MySQL knows no shorter wait for a lock, in s; MariaDB does without any. */
const LOCK_S = { mysql: 1, mariadb: 0 };
const MAX_TABLES = 10;
/** How texts are read otherwise than `explain-tokens.ts` reads them. */
const OTHER_MODES = /ANSI_QUOTES|NO_BACKSLASH_ESCAPES|ORACLE|MSSQL|DB2|MAXDB|POSTGRESQL/;
/** Tables of others may lead to servers of others. */
const ENGINES = new Set(["InnoDB", "MyISAM", "Aria", "MEMORY", "ROCKSDB"]);
const TABLE_TYPES = new Set(["BASE TABLE", "SYSTEM VERSIONED"]);

/** What a session needs of its connection. */
export interface OwnSession {
  readonly system: MysqlSystem;
  /** As the server's greeting has it. */
  readonly version: string;
  readonly ask: Ask;
  /** Runs a text of ours. */
  run(text: string): Promise<void>;
}

/** A call to be explained: its text as it is sent, the values beside it, and what it returned. */
export interface ExplainedCall {
  readonly text: string;
  readonly select: PlainSelect;
  readonly values: readonly unknown[];
  readonly rows: number | undefined;
}

/**
 * Explains a query in a read-only transaction. Neither server knows a plan without values: it is that of the very call, and its values go
 * where they have been, and nowhere else.
 */
export async function explainSelect(session: OwnSession, call: ExplainedCall): Promise<Explanation> {
  const { ask, run } = session;
  await begin(session);
  try {
    const server = await readServer(ask);
    checkServer(server);
    const tables = await findTables(ask, call.select.names, server.database);
    for (const table of tables) checkTable(table);
    const [[answer = null] = []] = await ask(`EXPLAIN FORMAT=JSON ${call.text}`, call.values);
    const plan = readPlan(answer ?? "");
    const aliased = tablesIn(plan).flatMap(({ table_name: alias }) => findAliased(alias, call.select.tokens, tables));
    const known: AliasedTable[] = [];
    for (const { alias, table } of aliased.slice(0, MAX_TABLES)) {
      if (!known.some((one) => one.alias === alias)) known.push({ alias, facts: await readTable(ask, table) });
    }
    const advice = advise({ plan, tables: known, tokens: call.select.tokens, rows: call.rows, ...server });
    return { plan: writePlan(plan), advice };
  } finally {
    await run("ROLLBACK").catch(() => {});
  }
}

async function begin({ system, version, run }: OwnSession): Promise<void> {
  const [, major = 0, minor = 0, patch = 0] = (/(\d+)\.(\d+)\.(\d+)/.exec(version.replace(/^5\.5\.5-/, "")) ?? []).map(
    Number,
  );
  const isOld =
    system === "mariadb" ? major < 10 || (major === 10 && minor < 4) : major < 5 || (major === 5 && minor < 7);
  if (isOld || (system === "mysql" && major === 5 && patch < 8)) {
    throw new NotExplained("that needs MySQL 5.7.8, MariaDB 10.4, or newer");
  }
  const limit =
    system === "mariadb" ? `max_statement_time = ${STATEMENT_MS / 1_000}` : `max_execution_time = ${STATEMENT_MS}`;
  const lock = LOCK_S[system];
  await run(`SET SESSION ${limit}, lock_wait_timeout = ${lock}, innodb_lock_wait_timeout = ${lock}`);
  await run("SET TRANSACTION ISOLATION LEVEL READ COMMITTED");
  await run("START TRANSACTION READ ONLY");
}

function checkServer({ modes, charset }: ServerFacts): void {
  if (OTHER_MODES.test(modes)) throw new NotExplained("its sql_mode reads quotes in a way of its own");
  if (!/^utf8(?:mb[34])?$/.test(charset)) throw new NotExplained("its connection is not in UTF-8");
}

/** By name only, wherever it stands. */
function checkTable({ name, type, engine }: FoundTable): void {
  if (!TABLE_TYPES.has(type)) throw new NotExplained(`${name} is no table, but a ${type.toLowerCase()}`);
  if (!ENGINES.has(engine)) throw new NotExplained(`${name} is kept by the engine ${engine}`);
}

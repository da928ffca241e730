import { readStrictly, type StrictToken } from "./explain-tokens.js";

/** A text that may be explained, as far as it says so itself; what its names stand for only the server knows. */
export interface PlainSelect {
  readonly tokens: readonly StrictToken[];
  /** What may name a table, as written: alone, or after what may name its database. */
  readonly names: readonly TableName[];
  /** How many `?`. */
  readonly parameters: number;
}

export interface TableName {
  /** Undefined for the database that the connection is in. */
  readonly schema: string | undefined;
  readonly name: string;
}

const MAX_LENGTH = 20_000;
const MAX_TOKENS = 2_000;
const MAX_NAMES = 100;
const wordsOf = (words: string): ReadonlySet<string> => new Set(words.split(/\s+/));

/** What a plain SELECT has no need of, wherever it stands, and what cannot be stopped; quoted or not: better a column of that name than a write. */
const FORBIDDEN = wordsOf(
  `into update delete insert lock share procedure handler call execute prepare analyze recursive regexp rlike
  information_schema performance_schema mysql sys`,
);

/** Reserved words, on all servers that are asked: none can be the name of a function or, without quotes, of a table. */
const BEFORE_BRACKET = wordsOf(
  `select distinct from join on using where and or xor not in exists case when then else having by union all as
  between like interval div limit key index primary if char decimal binary left right`,
);
const RESERVED = wordsOf(
  `asc cross desc end false group inner is natural null order outer straight_join true with ${[...BEFORE_BRACKET].join(" ")}`,
);

/**
 * Functions that only compute, at little cost; each built into MySQL since 5.7.8 and MariaDB since 10.4, so that none can be somebody's own.
 * EXPLAIN runs more than one would think: MariaDB 10.11 runs SLEEP() in a derived table and BENCHMARK() in a condition.
 */
const HARMLESS = wordsOf(
  `count sum min max avg std stddev variance group_concat
  abs ceil ceiling floor round truncate mod sign sqrt pow power exp ln log log2 log10 rand greatest least
  coalesce ifnull nullif if isnull cast convert
  concat concat_ws lower lcase upper ucase length char_length character_length octet_length left right substring substr
  mid substring_index trim ltrim rtrim replace reverse locate position instr field find_in_set elt hex unhex ascii ord
  md5 sha sha1 sha2 crc32 inet_aton inet_ntoa
  date time timestamp year month day dayofmonth dayofweek dayofyear week weekday yearweek quarter hour minute second
  date_format date_add date_sub adddate subdate datediff timediff timestampdiff timestampadd to_days from_days
  from_unixtime unix_timestamp str_to_date last_day makedate extract now curdate curtime current_date current_time
  current_timestamp utc_date utc_timestamp
  json_extract json_unquote json_contains json_length`,
);

/**
 * Recognises one SELECT without locks, INTO and functions that are not known. Returns why not otherwise, also where it is not sure. What the
 * names in it stand for is for the server to say, see `explain-catalog.ts`.
 */
export function recognizeSelect(text: string): PlainSelect | string {
  if (text.length > MAX_LENGTH) return "it is too long";
  const tokens = readStrictly(text);
  if (tokens === undefined) return "it cannot be read without doubt";
  if (tokens.length > MAX_TOKENS) return "it is too long";
  const first = tokens.find(({ key }) => key !== "(");
  if (first?.kind !== "word" || (first.key !== "select" && first.key !== "with")) return "it is no SELECT";
  const end = tokens.findIndex(isSemicolon);
  if (end >= 0 && !tokens.slice(end).every(isSemicolon)) return "it has several statements";
  for (const at of tokens.keys()) {
    const wrong = findWrong(tokens, at);
    if (wrong !== undefined) return wrong;
  }
  const names = namesIn(tokens);
  if (names.length > MAX_NAMES) return "it has too many names";
  return { tokens, names, parameters: tokens.filter(({ kind }) => kind === "param").length };
}

function findWrong(tokens: readonly StrictToken[], at: number): string | undefined {
  const { kind, key } = tokens[at] as StrictToken;
  const next = tokens[at + 1];
  if (kind !== "word" && kind !== "name") {
    const isValue = kind === "string" || kind === "number" || kind === "param";
    return isValue && next?.key === "(" ? "it cannot be read without doubt" : undefined;
  }
  if (FORBIDDEN.has(key.toLowerCase())) return `it has the word ${key.toUpperCase()}`;
  if ((key === "next" || key === "previous") && next?.key === "value") return "it reads a sequence";
  if (next?.key !== "(") return undefined;
  const isOwn = kind === "name" || tokens[at - 1]?.key === ".";
  if (!isOwn && BEFORE_BRACKET.has(key)) return undefined;
  // With a space before the bracket, names of built-in functions may be those of stored ones.
  if (!isOwn && HARMLESS.has(key) && tokens[at]?.to === next.from) return undefined;
  return `it calls ${key}(), which is not known to be harmless`;
}

function namesIn(tokens: readonly StrictToken[]): TableName[] {
  const names = new Map<string, TableName>();
  const add = (schema: string | undefined, name: string): void => {
    names.set(`${schema ?? ""}\n${name}`, { schema, name });
  };
  for (const [at, token] of tokens.entries()) {
    if (!isName(token)) continue;
    const before = tokens[at - 2];
    if (tokens[at - 1]?.key !== ".") {
      if (token.kind === "name" || !RESERVED.has(token.key)) add(undefined, token.name);
    } else if (before !== undefined && isName(before)) add(before.name, token.name);
  }
  return [...names.values()];
}

function isName({ kind }: StrictToken): boolean {
  return kind === "word" || kind === "name";
}

function isSemicolon({ kind, key }: StrictToken): boolean {
  return kind === "sign" && key === ";";
}

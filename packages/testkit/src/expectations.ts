import type { DatabaseOperation, Finding, FindingKind } from "@telltale/core";
import { describeSite, listQueries } from "./query-list.js";
import { type WatchedRun, watchRun } from "./watch-run.js";
import { heardLibraries } from "./why-unheard.js";

export interface NoFindingsOptions {
  /** What counts. Default: every kind but `event_loop_blocked`, which is mostly the test runner's own compiling. */
  readonly kinds?: readonly FindingKind[];
  /** Findings that are known, or meant. */
  readonly ignore?: (finding: Finding) => boolean;
  /** What findings call the run: `TEST <name>`. Matchers take the name of the test. */
  readonly name?: string | undefined;
}

export interface QueryCountOptions {
  /** `db.system.name` of the calls that count. Default: all but `redis`. */
  readonly system?: string;
  /** What findings call the run. */
  readonly name?: string | undefined;
}

/** An exact number, or bounds. */
export type QueryCount = number | { readonly atMost?: number; readonly atLeast?: number };

/** What an expectation came to, for those who report it themselves. */
export interface Verdict<T> {
  readonly pass: boolean;
  /** What is wrong where it does not pass. */
  readonly message: () => string;
  readonly result: T;
}

/**
 * Runs something, and fails if Telltale finds anything in it: an N+1, a slow query, a leaked connection. The message says what, where and
 * how to repair it. It must wait for all that it begins, and nothing else should use
 * the process meanwhile.
 *
 * @throws Error also where no call was heard at all: nothing could have been found.
 */
export async function expectNoFindings<T>(run: () => T | Promise<T>, options: NoFindingsOptions = {}): Promise<T> {
  return passing(await judgeFindings(run, options));
}

/**
 * Runs something, and fails unless it ran so many queries. The message lists those that ran, by shape, and from where. BEGIN, COMMIT, SET
 * and their like do not count.
 *
 * @throws Error also where Telltale does not hear any driver.
 */
export async function expectQueryCount<T>(
  run: () => T | Promise<T>,
  count: QueryCount,
  options: QueryCountOptions = {},
): Promise<T> {
  return passing(await judgeQueries(run, count, options));
}

export async function judgeFindings<T>(
  run: () => T | Promise<T>,
  { kinds, ignore, name }: NoFindingsOptions,
): Promise<Verdict<T>> {
  const watched = await watchRun(run, name);
  if (!watched.isHeard) {
    throw new Error(`no request was served and no database called, so nothing could be found; ${describeHeard()}`);
  }
  const found = watched.findings.filter(
    (finding) =>
      finding.accepted !== true &&
      (kinds === undefined ? finding.kind !== "event_loop_blocked" : kinds.includes(finding.kind)) &&
      ignore?.(finding) !== true,
  );
  return {
    pass: found.length === 0,
    message: () => `expected no findings, got ${found.length}:\n${found.map(describeFinding).join("\n")}`,
    result: watched.result,
  };
}

export async function judgeQueries<T>(
  run: () => T | Promise<T>,
  count: QueryCount,
  { system, name }: QueryCountOptions,
): Promise<Verdict<T>> {
  const { least, most } = boundsOf(count);
  const watched: WatchedRun<T> = await watchRun(run, name);
  if (heardLibraries().length === 0 && !watched.isHeard)
    throw new Error(`no query could be counted; ${describeHeard()}`);
  const counted = watched.queries.filter((query) => isCounted(query, system));
  const pass = counted.length >= least && counted.length <= most;
  // Before the run is forgotten: where it came from is found out in a while.
  const list = pass ? "" : await listQueries(counted);
  return {
    pass,
    message: () => `expected ${describeCount(least, most)}, got ${counted.length}${list === "" ? "" : `:\n${list}`}`,
    result: watched.result,
  };
}

function passing<T>({ pass, message, result }: Verdict<T>): T {
  if (!pass) throw new Error(message());
  return result;
}

function isCounted({ template }: DatabaseOperation, system: string | undefined): boolean {
  return system === undefined ? template.system !== "redis" : template.system === system;
}

function boundsOf(count: QueryCount): { least: number; most: number } {
  const bounds = typeof count === "number" ? { atLeast: count, atMost: count } : count;
  const { atLeast: least = 0, atMost: most = Number.POSITIVE_INFINITY } = bounds;
  if (typeof bounds !== "object" || !(least >= 0 && least <= most)) {
    throw new TypeError(`a number of queries, or { atLeast, atMost }, is expected, got ${JSON.stringify(count)}`);
  }
  return { least, most };
}

function describeCount(least: number, most: number): string {
  const queries = (n: number): string => (n === 1 ? "1 query" : `${n} queries`);
  if (least === most) return queries(least);
  if (least === 0) return `at most ${queries(most)}`;
  return most === Number.POSITIVE_INFINITY ? `at least ${queries(least)}` : `${least} to ${queries(most)}`;
}

export function describeFinding({ kind, title, advice, callSite }: Finding): string {
  const at = callSite === undefined ? "" : `\n    from ${describeSite(callSite)}`;
  return `  ${kind}: ${title}${at}\n    ${advice}`;
}

function describeHeard(): string {
  const heard = heardLibraries();
  return heard.length > 0 ? `heard are ${heard.join(", ")}` : "no driver was loaded";
}

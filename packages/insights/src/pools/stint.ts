import type { DatabaseTemplate, Loan, Request, Waiter } from "@telltale/core";
import type { Span } from "@opentelemetry/api";
import { endpointOf } from "../findings/describe.js";

/** Who holds a connection or waits for one: names only, which keep no request alive. */
export interface Party {
  readonly endpoint: string | undefined;
  readonly route: string | undefined;
  readonly traceId: string | undefined;
  readonly spanId: string | undefined;
  readonly sampled: boolean;
  /** When its request ended, in ms of `performance.now()`; 0 while it runs, or where there is none. */
  readonly requestEndMs: number;
}

/** One loan, or what there was of it when it ended. */
export interface Stint {
  readonly party: Party;
  readonly takenMs: number;
  /** Now, where it goes on. */
  readonly untilMs: number;
  readonly goesOn: boolean;
  /** Held on purpose, for its session or for many requests: to blame only where nobody else is. */
  readonly isKept: boolean;
  /** Time in which queries ran. */
  readonly busyMs: number;
  readonly isRunning: boolean;
  /** Since when it has been running queries, or doing nothing. */
  readonly sinceMs: number;
  /** The query that runs or ran last. */
  readonly template: DatabaseTemplate | undefined;
}

export function partyOf({ request, span }: { request: Request | undefined; span: Span | undefined }): Party {
  const spanContext = (request === undefined ? span : request.operation.span)?.spanContext();
  return {
    endpoint: endpointOf(request),
    route: request?.route,
    traceId: spanContext?.traceId,
    spanId: spanContext?.spanId,
    sampled: spanContext !== undefined && spanContext.traceFlags % 2 === 1,
    requestEndMs: request?.operation.endMs ?? 0,
  };
}

export function stintOf(loan: Loan, party: Party, now: number, goesOn: boolean): Stint {
  return {
    party,
    takenMs: loan.takenMs,
    untilMs: now,
    goesOn,
    isKept: loan.isShared || loan.keepsSession,
    busyMs: loan.busyMs(now),
    isRunning: loan.isRunning(),
    sinceMs: loan.sinceMs(),
    template: loan.runningTemplate(),
  };
}

/** Who held the connections while somebody waited. */
export interface Blame {
  /** Of those who held them longest, the longest. */
  readonly stint: Stint;
  /** Connections that the same endpoint holds now. */
  readonly held: number;
  /** Its share of the connection time that was spent in the wait: 0 to 1. */
  readonly share: number;
  /** Who holds connections now: `GET /report (2), GET /orders`. */
  readonly holders: string;
}

interface Group {
  totalMs: number;
  longest: Stint;
  longestMs: number;
}

/** The stints are counted for what of them lies in the wait; those of one endpoint together. */
export function blame(stints: Iterable<Stint>, fromMs: number): Blame | undefined {
  const groups = new Map<string, Group>();
  const holders = new Map<string, number>();
  let totalMs = 0;
  for (const stint of stints) {
    const ms = stint.untilMs - Math.max(stint.takenMs, fromMs);
    if (ms < 0) continue;
    totalMs += ms;
    const name = nameOf(stint.party.endpoint);
    if (stint.goesOn) countName(holders, name);
    // Kept ones are a group of their own, so that they do not speak for others of their endpoint.
    const key = stint.isKept ? `${name}\n` : name;
    const group = groups.get(key);
    if (group === undefined) {
      groups.set(key, { totalMs: ms, longest: stint, longestMs: ms });
      continue;
    }
    group.totalMs += ms;
    // Of two that cover the whole wait, the one that has it longer.
    if (ms < group.longestMs || (ms === group.longestMs && stint.takenMs >= group.longest.takenMs)) continue;
    group.longest = stint;
    group.longestMs = ms;
  }
  let most: Group | undefined;
  for (const group of groups.values()) if (most === undefined || isMore(group, most)) most = group;
  if (most === undefined) return undefined;
  return {
    stint: most.longest,
    held: holders.get(nameOf(most.longest.party.endpoint)) ?? 0,
    share: totalMs === 0 ? 1 : most.totalMs / totalMs,
    holders: describeNames(holders),
  };
}

function isMore(group: Group, other: Group): boolean {
  if (group.longest.isKept !== other.longest.isKept) return other.longest.isKept;
  return group.totalMs > other.totalMs;
}

/** Who waits: `GET /orders (3), POST /cart`. */
export function describeWaiters(first: Waiter | undefined): { count: number; names: string } {
  const counts = new Map<string, number>();
  let count = 0;
  for (let waiter = first; waiter !== undefined; waiter = waiter.after) {
    count++;
    if (count <= MAX_NAMED) countName(counts, nameOf(endpointOf(waiter.request)));
  }
  return { count, names: describeNames(counts) };
}

const MAX_NAMED = 1_000;
const SHOWN_NAMES = 5;

function countName(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1);
}

/** The most frequent first. */
function describeNames(counts: ReadonlyMap<string, number>): string {
  const shown = [...counts].sort(([, a], [, b]) => b - a).slice(0, SHOWN_NAMES);
  return shown.map(([name, times]) => (times === 1 ? name : `${name} (${times})`)).join(", ");
}

export function nameOf(endpoint: string | undefined): string {
  return endpoint ?? "code outside of a request";
}

import { type Finding, lastSiteOf, type Pool, type Waiter } from "@telltale/core";
import { endpointOf, factsOfQuery, formatMs, summaryOf, wallTimeOf } from "../findings/describe.js";
import { type Blame, describeWaiters, nameOf, type Stint } from "./stint.js";

/**
 * What keeps connections from those who wait: a query that takes long, an app that holds one and does nothing, a request that is over, one
 * that wants a second connection while it holds one, or nobody in particular: there are more callers than connections.
 */
export type PoolReason = "busy" | "idle" | "after_request" | "nested" | "load";

/** Why somebody waits who does not wait for holders: connections are being opened … */
export const OPENING = "opening";
/** … or this process was too busy to hand over one that was free. */
export const BLOCKED = "blocked";

/** What of a wait is on account of nobody who holds a connection. */
export type NobodysReason = typeof OPENING | typeof BLOCKED;

const CURES: Readonly<Record<PoolReason, string>> = {
  busy: "Make that query faster or let it run elsewhere: it has the connection for as long as it takes. A larger pool only helps while the server has capacity to spare.",
  idle: "Take the connection just before the queries and give it back right after them: no calls to other services, no computing and no waiting while it is held.",
  after_request:
    "The request has ended and its connection is still out: give it back in a `finally`, on every way out of the function.",
  nested:
    "Pass the connection that the request has on to what runs inside of it, instead of asking the pool for a second one: with enough of these at once, each waits for the other.",
  load: "Nobody holds a connection for long, there are more callers than connections: let fewer run at once, take fewer connections per request, or raise the pool's maximum if the server has capacity to spare.",
};

/** Of many callers, each of which holds its connection mostly for nothing. */
const CURE_IDLE_LOAD =
  "Nobody holds a connection for long, but for most of that time no query runs on it: take it just before the queries and give it back right after them. Where that is not enough, let fewer callers run at once, or raise the pool's maximum.";

/** Why, of who holds the connections. */
const CAUSES: Readonly<Record<PoolReason, string>> = {
  busy: "A query runs for long on the connection that others wait for.",
  idle: "The connection is held while the app does something else, and no query runs on it.",
  after_request: "The request that took the connection is over, and has not given it back.",
  nested: "Requests that hold a connection want another one, and wait for each other.",
  load: "More callers want a connection at once than there are.",
};
const CAUSE_BLOCKED = "This process was busy with something else: connections that were free were not handed over.";
const CAUSE_OPENING = "Connections could not be opened as fast as they were wanted.";

/** A wait, as it is told. */
interface Wait {
  readonly waiter: Waiter;
  readonly now: number;
  readonly blame: Blame;
  readonly reason: PoolReason;
  readonly count: number;
}

/**
 * Why one has waited: a connection may have been free for half of the wait, `delayMs`, and this process was too busy to see it; what its
 * holder does, if it has had the connection for half of the wait; else that they open slowly, or the load.
 */
export function reasonOf(
  pool: Pool,
  blamed: Blame | undefined,
  { askedMs }: Waiter,
  now: number,
  delayMs: number,
  isNested: boolean,
): PoolReason | NobodysReason {
  const halfMs = (now - askedMs) / 2;
  if (!isNested && delayMs > 0 && delayMs >= halfMs) return BLOCKED;
  if (blamed === undefined) return OPENING;
  const { party, takenMs, untilMs } = blamed.stint;
  if (untilMs - Math.max(takenMs, askedMs) < halfMs) {
    const openingMs = pool.openedMs - Math.max(askedMs, pool.openedMs - pool.openingMs);
    return openingMs >= halfMs ? OPENING : "load";
  }
  if (isNested) return "nested";
  if (party.requestEndMs !== 0) return "after_request";
  return isMostlyIdle(blamed.stint) ? "idle" : "busy";
}

function isMostlyIdle({ busyMs, takenMs, untilMs }: Stint): boolean {
  return busyMs < (untilMs - takenMs) / 2;
}

export function starvedFinding(pool: Pool, wait: Wait, againstMs: number): Finding {
  return waitFinding(
    "pool_starved",
    pool,
    wait,
    `waits ${formatMs(wait.now - wait.waiter.askedMs)} for one`,
    againstMs,
  );
}

export function timeoutFinding(pool: Pool, wait: Wait): Finding {
  const waitedMs = wait.now - wait.waiter.askedMs;
  return waitFinding("pool_timeout", pool, wait, `gave up waiting for one after ${formatMs(waitedMs)}`, waitedMs);
}

/** A time-out on account of nobody who holds a connection, or nobody knows of whom. */
export function nobodysFinding(pool: Pool, reason: NobodysReason, now: number, count: number): Finding {
  const { tellsLoans } = pool;
  const { title, advice } = tellsLoans || reason === BLOCKED ? NOBODYS[reason] : UNKNOWN;
  return {
    ...about(pool, undefined, now),
    kind: "pool_timeout",
    title: title(nameOfPool(pool)),
    advice,
    count,
    durationMs: 0,
    waitMs: 0,
    againstMs: 0,
    reason: tellsLoans ? reason : undefined,
    ...(tellsLoans && { cause: reason === OPENING ? CAUSE_OPENING : CAUSE_BLOCKED }),
    evidence: evidenceOf(pool, undefined, undefined),
  };
}

interface Nobodys {
  readonly title: (pool: string) => string;
  readonly advice: string;
}
const NOBODYS: Readonly<Record<NobodysReason, Nobodys>> = {
  opening: {
    title: (pool) => `${pool} could not open a connection in time; nobody held one that was wanted`,
    advice: "Look at the way to the server, at its own limit of connections, and at how long it takes to accept one.",
  },
  blocked: {
    title: (pool) => `${pool} handed over no connection in time: the event loop of this process was blocked meanwhile`,
    advice: "A larger pool does not help. Look for event_loop_blocked, and divide or move that work.",
  },
};
const UNKNOWN: Nobodys = {
  title: (pool) => `A caller of ${pool} had no connection in time`,
  advice:
    "Look at how long its connections are used, and how many callers wait for one (db.client.connection.use_time, .pending_requests).",
};

export function leakFinding(pool: Pool, stint: Stint, againstMs: number): Finding {
  const { party, takenMs, untilMs, sinceMs, template } = stint;
  const isOver = party.requestEndMs !== 0;
  const lastQuery = template === undefined ? "no query was sent on it" : `the last was ${summaryOf(template)}`;
  const ended = isOver ? `; its request ended ${formatMs(untilMs - party.requestEndMs)} ago` : "";
  return {
    ...about(pool, stint, untilMs),
    kind: "connection_leak",
    cause: isOver ? CAUSES.after_request : CAUSES.idle,
    title: `${nameOf(party.endpoint)} took a connection of ${nameOfPool(pool)} ${formatMs(untilMs - takenMs)} ago and has not given it back: no query for ${formatMs(untilMs - sinceMs)}, ${lastQuery}${ended}`,
    advice: isOver
      ? CURES.after_request
      : "Give it back in a `finally`. If it is held on purpose, name its route or its pool in `pools.ignoreRoutes` or `pools.ignorePools`.",
    count: 1,
    durationMs: untilMs - takenMs,
    waitMs: 0,
    againstMs,
    reason: isOver ? "after_request" : "idle",
    evidence: evidenceOf(pool, stint, undefined),
  };
}

function waitFinding(
  kind: "pool_starved" | "pool_timeout",
  pool: Pool,
  { waiter, now, blame, reason, count }: Wait,
  waited: string,
  againstMs: number,
): Finding {
  const { stint, holders, held, share } = blame;
  return {
    ...about(pool, stint, now),
    kind,
    title: `${accuse(pool, blame, reason)}; ${victimOf(waiter)} ${waited}`,
    advice: reason === "load" && isMostlyIdle(stint) ? CURE_IDLE_LOAD : CURES[reason],
    cause: CAUSES[reason],
    count,
    durationMs: stint.untilMs - stint.takenMs,
    waitMs: now - waiter.askedMs,
    againstMs,
    reason,
    evidence: { ...evidenceOf(pool, stint, waiter), holders, held, heldShare: Math.round(share * 100) / 100 },
  };
}

/** `GET /report holds 2 of 2 connections of pool db:5432/shop (3.20 s, running SELECT orders)`. */
function accuse(pool: Pool, { stint, held }: Blame, reason: PoolReason): string {
  const limit = pool.read()?.limit;
  const all = limit === undefined ? "" : ` of ${limit}`;
  const verb = stint.goesOn ? "holds" : "held";
  // Where the longest is back already, it was at least that one.
  const connections = `${Math.max(held, 1)}${all} connection${(limit ?? held) === 1 ? "" : "s"}`;
  const nested = reason === "nested" ? " and wants another one in the same request" : "";
  return `${nameOf(stint.party.endpoint)} ${verb} ${connections} of ${nameOfPool(pool)} (${formatMs(stint.untilMs - stint.takenMs)}, ${doing(stint)})${nested}`;
}

function doing(stint: Stint): string {
  const { isRunning, busyMs, takenMs, untilMs, sinceMs, template, goesOn } = stint;
  const summary = template === undefined ? undefined : summaryOf(template);
  if (isRunning) return `running ${summary} for ${formatMs(untilMs - sinceMs)}`;
  if (summary === undefined) return "no query on it";
  if (!isMostlyIdle(stint)) return `${formatMs(busyMs)} of it running queries, the last ${summary}`;
  return goesOn
    ? `idle in the app's hands for ${formatMs(untilMs - sinceMs)} after ${summary}`
    : `idle in the app's hands for ${formatMs(untilMs - takenMs - busyMs)} of it, the last query ${summary}`;
}

function victimOf({ request }: Waiter): string {
  return nameOf(endpointOf(request));
}

function nameOfPool({ name }: Pool): string {
  return `pool ${name}`;
}

/** The finding is about the holder: its route, its trace, its query. */
function about(pool: Pool, stint: Stint | undefined, now: number) {
  const party = stint?.party;
  const template = stint?.template;
  return {
    subject: pool.name,
    endpoint: party?.endpoint,
    route: party?.route,
    ...factsOfQuery(template),
    system: pool.system,
    traceId: party?.traceId,
    spanId: party?.spanId,
    sampled: party?.sampled === true,
    time: wallTimeOf(now),
    callSite: template && lastSiteOf(template),
  };
}

function evidenceOf(
  pool: Pool,
  stint: Stint | undefined,
  waiter: Waiter | undefined,
): Record<string, string | number | boolean> {
  const evidence: Record<string, string | number | boolean> = { pool: pool.name };
  const reading = pool.read();
  if (reading !== undefined) {
    evidence["used"] = reading.used;
    evidence["pending"] = reading.pending;
    if (reading.limit !== undefined) evidence["limit"] = reading.limit;
  }
  if (stint !== undefined) {
    const { isRunning, busyMs, takenMs, untilMs, sinceMs, party } = stint;
    evidence["heldMs"] = Math.round(untilMs - takenMs);
    evidence["busyMs"] = Math.round(busyMs);
    evidence["doing"] = isRunning ? "running" : "idle";
    evidence["doingMs"] = Math.round(untilMs - sinceMs);
    if (party.requestEndMs !== 0) evidence["requestEndedMs"] = Math.round(untilMs - party.requestEndMs);
  }
  if (waiter !== undefined) {
    evidence["victim"] = victimOf(waiter);
    const { count, names } = describeWaiters(pool.waiters.first);
    evidence["waiting"] = count;
    if (count > 0) evidence["waiters"] = names;
  }
  return evidence;
}

import { performance } from "node:perf_hooks";
import {
  allPools,
  createGuard,
  findingMade,
  type Listener,
  type Loan,
  type Operation,
  type Pool,
  type Request,
  startTimer,
  stopTimer,
  type Waiter,
  wantSite,
} from "@telltale/core";
import { endpointOf } from "../findings/describe.js";
import type { LoopWatch } from "../event-loop/loop-watch.js";
import type { InsightsOptions } from "../options.js";
import { createOncePerCause } from "../findings/once-per-cause.js";
import { BLOCKED, leakFinding, nobodysFinding, OPENING, reasonOf, starvedFinding, timeoutFinding } from "./finding.js";
import { blame, type Party, partyOf, type Stint, stintOf } from "./stint.js";

/** Loans that ended while somebody waited, remembered per pool; of shorter ones more end in a wait than one would look at. */
const MAX_PAST = 64;
/** Waiters compared with holders: is it the same request? */
const MAX_COMPARED = 1_000;
/** A pool's waits are looked into no more often … */
const LOOK_EVERY_MS = 100;
/** … and loans and waits that go on, so often. */
const PERIOD_MS = 1_000;
/** Shorter loans make nobody wait. */
const MIN_STINT_MS = 2;

type PoolHolders = Required<Pick<Listener, "added" | "removed" | "poolReturned" | "poolWaited" | "poolTimedOut">>;

/** What is remembered of a loan. */
interface Note {
  readonly takenMs: number;
  /** Once its request was let go. */
  party: Party | undefined;
  isTold: boolean;
}

type Kind = "pool_starved" | "pool_timeout";

/** What is remembered of a pool while somebody waits. */
interface History {
  readonly past: Stint[];
  /** The next of them to be overwritten. */
  next: number;
  /** What came out when its waits were last looked into. */
  readonly looked: Partial<Record<Kind, { readonly atMs: number; readonly cause: string }>>;
}

/**
 * Finds who holds the connections of a pool that others wait for, and connections that nobody gives back. Pools note their loans
 * themselves; they are read when a long wait ends, at a time-out, and once a second.
 */
export function createPoolHolders(options: InsightsOptions, loop: LoopWatch): PoolHolders {
  const { waitMs = 100, idleMs = 30_000, afterRequestMs = 5_000, ignorePools, ignoreRoutes } = options.pools ?? {};
  const ignored = { pools: new Set(ignorePools), routes: new Set(ignoreRoutes) };
  const notes = new WeakMap<Loan, Note>();
  const histories = new WeakMap<Pool, History>();
  const causes = createOncePerCause();
  const guard = createGuard("pool holders");
  const limits = [idleMs, afterRequestMs].filter((ms) => ms > 0);
  const periodMs = Math.max(10, Math.min(PERIOD_MS, ...limits.map((ms) => ms / 4)));
  let timer: NodeJS.Timeout | undefined;

  function noteOf(loan: Loan): Note {
    const known = notes.get(loan);
    if (known?.takenMs === loan.takenMs) return known;
    const note = { takenMs: loan.takenMs, party: undefined, isTold: false };
    notes.set(loan, note);
    return note;
  }

  function historyOf(pool: Pool): History {
    const known = histories.get(pool);
    if (known !== undefined) return known;
    const history: History = { past: [], next: 0, looked: {} };
    histories.set(pool, history);
    return history;
  }

  function* stintsOf(pool: Pool, now: number): Generator<Stint> {
    for (let loan = pool.loans.first; loan !== undefined; loan = loan.after) {
      yield stintOf(loan, noteOf(loan).party ?? partyOf(loan), now, true);
    }
    yield* historyOf(pool).past;
  }

  function tellWait(kind: Kind, pool: Pool, waiter: Waiter, now: number): void {
    const { looked } = historyOf(pool);
    const last = looked[kind];
    if (last !== undefined && now - last.atMs < LOOK_EVERY_MS) {
      causes.cameAgain(last.cause);
      return;
    }
    const blamed = blame(stintsOf(pool, now), waiter.askedMs);
    const endpoint = blamed?.stint.party.endpoint;
    const delayMs = loop.delayBefore(now, waiter.askedMs);
    const reason = reasonOf(pool, blamed, waiter, now, delayMs, isNested(pool, waiter, endpoint));
    const query = reason === "busy" ? blamed?.stint.template?.fingerprint : undefined;
    const cause = `${kind}\n${pool.name}\n${endpoint}\n${reason}\n${query}`;
    looked[kind] = { atMs: now, cause };
    const isNobodys = blamed === undefined || reason === OPENING || reason === BLOCKED;
    // Who waits while connections are being opened, as after a start, waits for nobody; and blocks are told of by themselves.
    if (kind === "pool_starved" && isNobodys) return;
    const count = causes.timesToTell(cause, now);
    if (count === 0) return;
    if (isNobodys) {
      findingMade(nobodysFinding(pool, reason === BLOCKED ? BLOCKED : OPENING, now, count));
      return;
    }
    const wait = { waiter, now, blame: blamed, reason, count };
    const finding = kind === "pool_starved" ? starvedFinding(pool, wait, waitMs) : timeoutFinding(pool, wait);
    findingMade(finding, requestOf(pool, blamed.stint));
    armSite(blamed.stint);
  }

  function lookAtWait(pool: Pool, waiter: Waiter, now: number): void {
    if (waitMs !== 0 && now - waiter.askedMs >= waitMs) tellWait("pool_starved", pool, waiter, now);
  }

  /** Since when the connection has been of no use to who holds it, and how long it may be; undefined where it is no leak. */
  function uselessOf(loan: Loan, party: Party): { readonly sinceMs: number; readonly maxMs: number } | undefined {
    if (loan.isRunning() || loan.isUnseen || loan.isShared || loan.keepsSession) return undefined;
    if (party.route !== undefined && ignored.routes.has(party.route)) return undefined;
    const sinceMs = Math.max(loan.sinceMs(), party.requestEndMs);
    const maxMs = party.requestEndMs === 0 ? idleMs : afterRequestMs;
    return maxMs === 0 ? undefined : { sinceMs, maxMs };
  }

  function lookAtLoan(pool: Pool, loan: Loan, now: number): void {
    loan.forgetQuery();
    const note = noteOf(loan);
    const party = note.party ?? partyOf(loan);
    // What is over will not change any more: its name is kept, and the request let go.
    if (loan.request === undefined || party.requestEndMs !== 0) {
      note.party = party;
      loan.forgetCaller();
    }
    if (note.isTold || ignored.pools.has(pool.name)) return;
    const useless = uselessOf(loan, party);
    if (useless === undefined || now - useless.sinceMs < useless.maxMs) return;
    note.isTold = true;
    // Each is one: there are no more of them than connections, and nobody would count those that never come again.
    const stint = stintOf(loan, party, now, true);
    findingMade(leakFinding(pool, stint, useless.maxMs), loan.request?.operation);
    armSite(stint);
  }

  function lookAtPools(): void {
    try {
      const now = performance.now();
      for (const pool of allPools()) {
        for (let loan = pool.loans.first; loan !== undefined; loan = loan.after) lookAtLoan(pool, loan, now);
        const waiter = pool.waiters.first;
        if (waiter === undefined) histories.delete(pool);
        else if (pool.read() !== undefined) lookAtWait(pool, waiter, now);
        // Ended, it will never call them back.
        else while (pool.waiters.first !== undefined) pool.waiters.first.leave();
      }
    } catch (error) {
      guard.failed(error);
    }
    if (guard.on) start();
  }

  function start(): void {
    timer = startTimer(lookAtPools, periodMs);
    timer.unref();
  }

  return {
    added: start,
    removed: () => stopTimer(timer),
    poolReturned(pool, loan, now) {
      if (now - loan.takenMs < MIN_STINT_MS) return;
      const history = historyOf(pool);
      const note = notes.get(loan);
      const party = note?.takenMs === loan.takenMs ? note.party : undefined;
      history.past[history.next] = stintOf(loan, party ?? partyOf(loan), now, false);
      history.next = (history.next + 1) % MAX_PAST;
    },
    poolWaited: lookAtWait,
    poolTimedOut(pool, waiter) {
      const now = performance.now();
      if (waiter !== undefined) {
        tellWait("pool_timeout", pool, waiter, now);
        return;
      }
      const count = causes.timesToTell(`pool_timeout\n${pool.name}\n${OPENING}`, now);
      if (count > 0) findingMade(nobodysFinding(pool, OPENING, now, count));
    },
  };
}

/** The request that holds a connection, while it does. */
function requestOf(pool: Pool, { goesOn, takenMs }: Stint): Operation | undefined {
  for (let loan = goesOn ? pool.loans.first : undefined; loan !== undefined; loan = loan.after) {
    if (loan.takenMs === takenMs) return loan.request?.operation;
  }
  return undefined;
}

/** What runs on the connection that is held is where the holder's code can be found. */
function armSite({ template }: Stint): void {
  if (template !== undefined) wantSite(template);
}

/**
 * A request that waits for a connection while it, or another one of its endpoint that also waits, holds one and runs nothing on it: where a
 * query runs, as of several that are sent at once, that ends by itself.
 */
function isNested(pool: Pool, waiter: Waiter, endpoint: string | undefined): boolean {
  const waiting = new Set<Request | undefined>([waiter.request]);
  for (let other = pool.waiters.first; other !== undefined && waiting.size < MAX_COMPARED; other = other.after) {
    waiting.add(other.request);
  }
  for (let loan = pool.loans.first; loan !== undefined; loan = loan.after) {
    if (loan.isRunning()) continue;
    if (loan.request !== undefined && waiting.has(loan.request) && endpointOf(loan.request) === endpoint) return true;
  }
  return false;
}

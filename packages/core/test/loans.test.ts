import { ROOT_CONTEXT } from "@opentelemetry/api";
import { getRequest } from "@telltale/test/requests";
import { template } from "@telltale/test/template";
import { afterEach, describe, expect, test } from "vitest";
import {
  addListener,
  contextOf,
  endOperation,
  type Listener,
  type Loan,
  type PoolReporter,
  registerPool,
  startDatabaseOperation,
  startHttpServerOperation,
} from "../src/index.js";

const undo: (() => void)[] = [];
afterEach(() => {
  for (const step of undo.splice(0)) step();
});

function open(): PoolReporter {
  const reporter = registerPool({
    name: "loans",
    system: "postgresql",
    read: () => ({ used: 0, idle: 0, pending: 0 }),
  });
  undo.push(reporter.close);
  return reporter;
}

function listen(listener: Partial<Listener> = {}): void {
  undo.push(addListener({ name: "test", poolWaited() {}, ...listener }));
}

function request() {
  return startHttpServerOperation(getRequest(), ROOT_CONTEXT);
}

function lent(reporter: PoolReporter): number[] {
  const taken = [];
  for (let loan = reporter.pool.loans.first; loan !== undefined; loan = loan.after) taken.push(loan.takenMs);
  return taken;
}

test("loans stand in the order in which they were taken, whichever is returned", () => {
  listen();
  const reporter = open();
  const loans = Array.from({ length: 6 }, () => reporter.addConnection());
  for (const [n, loan] of loans.entries()) reporter.taken(loan, ROOT_CONTEXT, n + 1);
  expect(lent(reporter)).toEqual([1, 2, 3, 4, 5, 6]);
  const give = (n: number): void => void (loans[n] && reporter.returned(loans[n]));
  for (const n of [0, 3, 3, 5]) give(n);
  expect(lent(reporter)).toEqual([2, 3, 5]);
  for (const n of [0, 5]) if (loans[n] !== undefined) reporter.taken(loans[n], ROOT_CONTEXT, 10 + n);
  // Taken again without having been returned: a driver that lost count.
  if (loans[1] !== undefined) reporter.taken(loans[1], ROOT_CONTEXT, 20);
  expect(lent(reporter)).toEqual([3, 5, 10, 15, 20]);
  for (const n of [0, 1, 2, 4, 5]) give(n);
  expect(lent(reporter)).toEqual([]);
});

test("a wait that ends when its pool has been registered anew leaves its own line, and nobody else's", () => {
  listen();
  const [before, now] = [open(), open()];
  const waiter = before.waits(ROOT_CONTEXT, 1);
  const other = now.waits(ROOT_CONTEXT, 2);
  if (waiter === undefined || other === undefined) throw new Error("nobody listens");
  now.waited(waiter);
  now.stoppedWaiting(waiter);
  expect([before.pool.waiters.first, now.pool.waiters.first]).toEqual([undefined, other]);
});

test("nothing is noted while nobody asks", () => {
  const reporter = open();
  const loan = reporter.addConnection();
  reporter.taken(loan, contextOf(request()), 1);
  expect([loan.takenMs, loan.request, lent(reporter)]).toEqual([0, undefined, []]);
  expect(reporter.waits(ROOT_CONTEXT, 1)).toBeUndefined();
  // One that was taken before somebody listened comes back.
  listen();
  reporter.returned(loan);
  expect(lent(reporter)).toEqual([]);
});

test("waits: who still waits, and who is told of their ends", () => {
  const ends: string[] = [];
  const name = (askedMs: number | undefined) => String(askedMs);
  listen({
    poolWaited: (_, waiter) => void ends.push(`has ${name(waiter.askedMs)}`),
    poolTimedOut: (_, waiter) => void ends.push(`gave up ${name(waiter?.askedMs)}`),
    poolReturned: (_, loan) => void ends.push(`returned ${loan.takenMs}`),
  });
  const reporter = open();
  const loan = reporter.addConnection();
  reporter.taken(loan, ROOT_CONTEXT, 7);
  const [first, second, third] = [1, 2, 3].map((ms) => reporter.waits(ROOT_CONTEXT, ms));
  if (first === undefined || second === undefined || third === undefined) throw new Error("nobody listens");
  reporter.timedOut(second);
  reporter.timedOut();
  reporter.returned(loan);
  reporter.waited(first);
  expect(reporter.pool.waiters.first).toBe(third);
  reporter.stoppedWaiting(third);
  expect(reporter.pool.waiters.first).toBeUndefined();
  reporter.taken(loan, ROOT_CONTEXT, 8);
  // Nobody waits: nobody is told.
  reporter.returned(loan);
  expect(ends).toEqual(["gave up 2", "gave up undefined", "returned 7", "has 1"]);
});

describe("what runs on a loan", () => {
  const setUp = (): {
    loan: Loan;
    query: (atMs: number, summary?: string, waitMs?: number) => (endMs: number) => void;
  } => {
    listen();
    const reporter = open();
    const loan = reporter.addConnection();
    reporter.taken(loan, ROOT_CONTEXT, 100);
    return {
      loan,
      query(atMs, querySummary = "SELECT a", waitMs = 0) {
        const of = template({ querySummary });
        const operation = startDatabaseOperation(of, undefined, undefined, ROOT_CONTEXT, atMs, waitMs);
        loan.runs(operation);
        return (endMs) => {
          endOperation(operation);
          operation.endMs = endMs;
        };
      },
    };
  };
  const now = 1_000;

  test("nothing yet", () => {
    const { loan } = setUp();
    expect([loan.isRunning(), loan.sinceMs(), loan.busyMs(now)]).toEqual([false, 100, 0]);
  });

  test("one after the other, with the time between; its wait for the connection is no work", () => {
    const { loan, query } = setUp();
    query(50, "SELECT a", 50)(150);
    expect([loan.isRunning(), loan.sinceMs(), loan.busyMs(now)]).toEqual([false, 150, 50]);
    const end = query(200);
    expect([loan.isRunning(), loan.sinceMs(), loan.busyMs(now)]).toEqual([true, 200, 850]);
    end(300);
    expect([loan.isRunning(), loan.sinceMs(), loan.busyMs(now)]).toEqual([false, 300, 150]);
  });

  test("queued ones are one time of work, named by the one that runs", () => {
    const { loan, query } = setUp();
    const first = query(200, "SELECT a");
    const second = query(210, "SELECT b");
    expect([loan.isRunning(), loan.runningTemplate()?.querySummary]).toEqual([true, "SELECT a"]);
    first(300);
    expect([loan.isRunning(), loan.sinceMs(), loan.runningTemplate()?.querySummary]).toEqual([true, 200, "SELECT b"]);
    second(400);
    expect([loan.isRunning(), loan.sinceMs(), loan.busyMs(now)]).toEqual([false, 400, 200]);
  });

  test("forgetting its queries changes none of the figures, and a running one is not forgotten", () => {
    const { loan, query } = setUp();
    query(200)(300);
    loan.forgetQuery();
    loan.forgetQuery();
    expect([loan.isRunning(), loan.sinceMs(), loan.busyMs(now)]).toEqual([false, 300, 100]);
    expect(loan.runningTemplate()?.querySummary).toBe("SELECT a");
    query(400);
    loan.forgetQuery();
    expect([loan.isRunning(), loan.sinceMs(), loan.busyMs(now)]).toEqual([true, 400, 700]);
  });

  test("used by a running request that did not take it, it is shared; by one that is over, or by none, it is not", () => {
    listen();
    const reporter = open();
    const loan = reporter.addConnection();
    const [taker, other] = [request(), request()];
    reporter.taken(loan, contextOf(taker), 1);
    const use = (from: typeof taker | undefined): boolean => {
      const caller = from === undefined ? ROOT_CONTEXT : contextOf(from);
      loan.runs(startDatabaseOperation(template(), undefined, undefined, caller));
      return loan.isShared;
    };
    expect([use(taker), use(undefined)]).toEqual([false, false]);
    endOperation(taker);
    loan.forgetCaller();
    expect([use(taker), use(other)]).toEqual([false, true]);
    reporter.returned(loan);
    expect([loan.isShared, loan.template, loan.request]).toEqual([false, undefined, undefined]);
  });
});

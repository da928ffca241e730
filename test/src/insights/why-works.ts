import { setTimeout as sleep } from "node:timers/promises";
import type { DatabaseOperation, Operation, Why } from "@telltale/core";
import { expect } from "vitest";

/** What a workload was made of. */
export interface Truth {
  readonly waitMs: number;
  readonly loopDelayMs: number;
  readonly restMs: number;
}

interface Queries {
  query(text: string): Promise<unknown>;
}

/** The connections of a workload, and what the servers have in ways of their own. */
export interface SlowDatabase {
  /** Of several connections, open and known. */
  readonly pool: Queries;
  /** A pool of one. */
  readonly single: Queries;
  /** Connections of their own. */
  readonly other: Queries;
  readonly client: Queries;
  sleep(seconds: number): string;
  /** Takes a lock, gives it back, and waits for it under a name and gives it back. */
  readonly lock: string;
  readonly unlock: string;
  waitForLock(name: string): string;
  /** So many of the durations are left out between two: 0 for none. */
  readonly leftOut?: number;
}

/** Labels of the calls that are slow, and of those that are not. */
export interface Slow {
  readonly expected: readonly string[];
  readonly none: readonly string[];
}

export type Compare = (name: string, truth: Partial<Truth>) => void;

const timesOf = ({ leftOut = 0 }: SlowDatabase): number[] =>
  Array.from({ length: 10 }, (_, n) => 140 + n * 10).filter((_, n) => n % (leftOut + 1) === 0);

/** Keeps the event loop. */
export function block(ms: number): number {
  const start = performance.now();
  while (performance.now() < start + ms);
  return performance.now() - start;
}

/** Compares calls with what they were made of. */
export function createComparison(operations: () => readonly Operation[]) {
  const unfit: string[] = [];
  let compared = 0;

  function operationOf(name: string): DatabaseOperation {
    const isNamed = ({ queryText }: DatabaseOperation["template"]): boolean =>
      new RegExp(`\\b${name}\\b`).test(queryText ?? "");
    const found = operations().find((one) => one.kind === "database" && isNamed(one.template));
    if (found?.kind !== "database") throw new Error(`expected a call of ${name}`);
    return found;
  }

  /** The split that spans carry. */
  function whyOf({ attributes = {} }: DatabaseOperation): Why {
    return {
      waitMs: Number(attributes["telltale.why.wait_ms"]),
      loopDelayMs: Number(attributes["telltale.why.loop_delay_ms"]),
      restMs: Number(attributes["telltale.why.rest_ms"]),
      isEstimate: attributes["telltale.why.is_estimate"] === true,
    };
  }

  /**
   * Each part within 5 % of the call; a wait that is not given is what the call had. Time beyond what was seeded (a machine that is busy
   * elsewhere) may be anybody's; and where that takes the processor from this process, it looks as if this process were busy: one case in ten
   * may differ for that.
   */
  function compare(name: string, { waitMs, loopDelayMs = 0, restMs = 0 }: Partial<Truth>): void {
    const operation = operationOf(name);
    const truth: Truth = { waitMs: waitMs ?? operation.waitMs, loopDelayMs, restMs };
    const totalMs = operation.endMs - operation.startMs;
    const why = whyOf(operation);
    expect(why.waitMs + why.loopDelayMs + why.restMs).toBeCloseTo(totalMs, 6);
    const beyondMs = Math.max(0, totalMs - truth.waitMs - truth.loopDelayMs - truth.restMs);
    const slackMs = totalMs * 0.05 + beyondMs;
    const fits = (["waitMs", "loopDelayMs", "restMs"] as const).every(
      (part) => Math.abs(why[part] - truth[part]) <= slackMs,
    );
    compared++;
    if (!fits) unfit.push(`${name}: ${JSON.stringify({ totalMs, why, truth })}`);
  }

  /** Judges what was compared since the last time. */
  function judge(): void {
    expect(unfit.length, unfit.join("\n")).toBeLessThanOrEqual(Math.ceil(compared / 10));
    unfit.length = compared = 0;
  }

  return { compare, judge };
}

/** A slow server is the rest. */
export async function runSlowServer(db: SlowDatabase, compare: Compare): Promise<Slow> {
  const times = timesOf(db);
  const asked = times.map((ms, n) =>
    (n < 2 ? db.single : db.pool).query(`SELECT ${db.sleep(ms / 1000)} AS sleep${ms}`),
  );
  await Promise.all(asked);
  for (const ms of times) compare(`sleep${ms}`, { restMs: ms });
  return { expected: times.map((ms) => `sleep${ms}`), none: [] };
}

/** A lock that another holds is the rest. */
export async function runLocked(db: SlowDatabase, compare: Compare): Promise<Slow> {
  const times = timesOf(db);
  for (const ms of times) {
    await db.other.query(db.lock);
    const released = sleep(ms).then(() => db.other.query(db.unlock));
    const startMs = performance.now();
    await db.pool.query(db.waitForLock(`lock${ms}`));
    const tookMs = performance.now() - startMs;
    await released;
    compare(`lock${ms}`, { waitMs: 0, restMs: tookMs });
  }
  return { expected: times.map((ms) => `lock${ms}`), none: [] };
}

/** A pool of one is waiting for a connection, and no slow query by itself. */
export async function runPoolOfOne(db: SlowDatabase, compare: Compare): Promise<Slow> {
  const { single } = db;
  const times = timesOf(db);
  for (const ms of times) {
    await Promise.all([
      single.query(`SELECT ${db.sleep(ms / 1000)} AS holder${ms}`),
      single.query(`SELECT 1 AS fast${ms}`),
      single.query(`SELECT ${db.sleep(0.12)} AS slow${ms}`),
    ]);
    compare(`fast${ms}`, { waitMs: ms });
    compare(`slow${ms}`, { waitMs: ms, restMs: 120 });
  }
  return {
    expected: times.flatMap((ms) => [`holder${ms}`, `slow${ms}`]),
    none: times.map((ms) => `fast${ms}`),
  };
}

/** A busy process is event-loop delay, an estimate: `expected` are those whose own delay it is. */
export async function runBusyProcess(db: SlowDatabase, compare: Compare): Promise<Slow> {
  const { client } = db;
  /** Each gives how long the process was really busy. */
  const cases: [string, (name: string, ms: number) => Promise<number>][] = [
    // The pool hands a free connection over with the next tick, which the block keeps too.
    ["pooled", (name, ms) => busyAfter(db.pool.query(`SELECT 1 AS ${name}`), ms)],
    ["sent", (name, ms) => busyAfter(client.query(`SELECT 1 AS ${name}`), ms)],
    [
      "later",
      async (name, ms) => {
        let busyMs = 0;
        setTimeout(() => (busyMs = block(ms)), 20);
        await client.query(`SELECT ${db.sleep(0.03)} AS ${name}`);
        return busyMs;
      },
    ],
  ];
  async function busyAfter(query: Promise<unknown>, ms: number): Promise<number> {
    const busyMs = block(ms);
    await query;
    return busyMs;
  }
  const expected: string[] = [];
  for (const [cause, run] of cases) {
    for (const ms of [200, 250, 300, 350].filter((_, n) => n % ((db.leftOut ?? 0) + 1) === 0)) {
      const name = `${cause}${ms}`;
      if (cause !== "pooled") expected.push(name);
      await sleep(15);
      const busyMs = await run(name, ms);
      // "later": 20 of 30 ms have passed when the block begins; what is left of them runs beside it.
      if (cause === "later") compare(name, { waitMs: 0, loopDelayMs: busyMs - 5, restMs: 25 });
      else compare(name, { waitMs: 0, loopDelayMs: busyMs });
    }
  }
  // Over before the answer came: it kept nothing.
  const none = [1, 2, 3].map((ms) => `before${ms}`);
  for (const name of none) {
    const query = client.query(`SELECT ${db.sleep(0.4)} AS ${name}`);
    setTimeout(block, 50, 150);
    await query;
    compare(name, { waitMs: 0, restMs: 400 });
  }
  return { expected, none };
}

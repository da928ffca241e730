import { setTimeout as pause } from "node:timers/promises";
import { context, createContextKey } from "@opentelemetry/api";
import { addListener, allPools, knowConnections, type Loan, type Pool, readPools, requestOf } from "@telltale/core";
import { collect, type Collection } from "@telltale/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { instrumentations, releases } from "./libraries.js";

let collected: Collection;
beforeAll(() => {
  collected = collect();
});
afterAll(() => collected.stop());

function hear() {
  const timings: Record<"wait" | "create" | "use", number[]> = { wait: [], create: [], use: [] };
  const timedOut: [string, boolean][] = [];
  const stop = addListener({
    name: "test",
    // Makes pools note their loans.
    poolWaited: () => {},
    poolTimed: (_, what, ms) => void timings[what].push(ms),
    poolTimedOut: ({ name }, waiter) => void timedOut.push([name, waiter !== undefined]),
  });
  return { timings, timedOut, stop };
}

function loansOf(pool: Pool | undefined): Loan[] {
  const loans = [];
  for (let loan = pool?.loans.first; loan !== undefined; loan = loan.after) loans.push(loan);
  return loans;
}
const only = (): Pool | undefined => [...allPools()][0];

describe.each(releases)("$name", ({ library, make }) => {
  test("the readings are the pool's own at every moment; each loan and each wait is timed", async () => {
    const { timings, timedOut, stop } = hear();
    let made = 0;
    const pool = make({
      max: 3,
      create: async () => {
        await pause(30);
        return { number: ++made };
      },
    });
    const compare = (): void => {
      expect(readPools().map(({ pool: { name, system }, reading }) => [name, system, reading])).toEqual([
        [library, undefined, { ...pool.counts(), limit: 3, idleMin: 0 }],
      ]);
    };
    pool.release(await pool.acquire());
    compare();
    let waiting = 0;
    const held: object[] = [];
    const crowd = Array.from({ length: 20 }, async () => {
      const resource = (await pool.acquire()) as object;
      held.push(resource);
      compare();
      waiting = Math.max(waiting, pool.counts().pending);
      expect(loansOf(only())).toHaveLength(held.length);
      await pause(10);
      held.splice(held.indexOf(resource), 1);
      pool.release(resource);
      compare();
    });
    await pause(0);
    expect(pool.counts().pending).toBeGreaterThan(15);
    expect(only()?.waiters.first).toBeDefined();
    await Promise.all(crowd);
    compare();
    expect(waiting).toBeGreaterThan(10);
    expect([made, timings.create.length, timings.wait.length, timings.use.length]).toEqual([3, 3, 21, 21]);
    // A timer may fire a millisecond early.
    expect(Math.min(...timings.create, Math.max(...timings.wait))).toBeGreaterThan(28);
    expect(timings.use.toSorted((a, b) => a - b).at(1)).toBeGreaterThan(8);
    expect([loansOf(only()), only()?.waiters.first, timedOut]).toEqual([[], undefined, []]);
    await pool.end();
    expect(readPools()).toEqual([]);
    stop();
  });

  test("one who waits in vain: the error is the library's, the wait is a time-out on somebody's account", async () => {
    const { timings, timedOut, stop } = hear();
    const pool = make({ max: 1, waitAtMost: 20, create: async () => ({}) });
    const held = await pool.acquire();
    await expect(pool.acquire()).rejects.toThrow(/time/i);
    expect([timedOut, timings.wait.length]).toEqual([[[library, true]], 1]);
    expect(only()?.waiters.first).toBeUndefined();
    pool.release(held);
    expect(await pool.acquire()).toBe(held);
    pool.release(held);
    await pool.end();
    stop();
  });

  test("a pool that has made nothing yet: its time-outs are heard, and it is known anew with the first connection", async () => {
    const { timedOut, stop } = hear();
    let comeUp = (): void => {};
    const up = new Promise<void>((done) => (comeUp = done));
    const create = async () => {
      await up;
      return {};
    };
    const forget = knowConnections(() => ({ place, isPooled: false, lend: () => {} }));
    const place = { system: "mysql", serverAddress: "db", serverPort: 1, namespace: undefined, poolName: undefined };
    const pool = make({ max: 1, waitAtMost: 60, create });
    await expect(pool.acquire()).rejects.toThrow(/time/i);
    expect(readPools().map(({ pool: { name } }) => name)).toEqual([library]);
    const waits = pool.acquire();
    expect(only()?.waiters.first).toBeDefined();
    comeUp();
    const resource = await waits;
    expect(timedOut).toEqual([[library, false]]);
    expect(readPools().map(({ pool: { name, system, waiters } }) => [name, system, waiters.first])).toEqual([
      ["db:1/", "mysql", undefined],
    ]);
    pool.release(resource);
    await pool.end();
    forget();
    stop();
  });

  test("what cannot be made: the app's own error, and nothing is lent", async () => {
    const { timings, stop } = hear();
    const error = new Error("no such host");
    let fails = true;
    const create = async () => {
      // It would else try again and again in one turn.
      await pause(2);
      if (fails) throw error;
      return { made: true };
    };
    const pool = make({ max: 1, waitAtMost: 200, create });
    // generic-pool tries again and again.
    if (library === "generic-pool") setTimeout(() => (fails = false), 20);
    else {
      await expect(pool.acquire()).rejects.toBe(error);
      fails = false;
    }
    const resource = await pool.acquire();
    expect([resource, timings.wait.length, timings.create.length]).toEqual([{ made: true }, 1, 1]);
    pool.release(resource);
    // And what was never lent does not come back.
    await Promise.resolve(pool.release({})).catch(() => {});
    expect(timings.use).toHaveLength(1);
    await pool.end();
    stop();
  });

  test("a promise of the app's own kind is awaited by the pool alone", async () => {
    let awaited = 0;
    class Lazy extends Promise<unknown> {
      // oxlint-disable-next-line no-thenable
      override then<A, B>(...on: Parameters<Promise<unknown>["then"]>): Promise<A | B> {
        awaited += 1;
        return super.then(...on) as Promise<A | B>;
      }
    }
    const countAwaits = async (): Promise<number> => {
      awaited = 0;
      const pool = make({ max: 1, create: () => new Lazy((resolve) => setTimeout(resolve, 2, {})) });
      pool.release(await pool.acquire());
      await pool.end();
      return awaited;
    };
    const { stop } = hear();
    const heard = await countAwaits();
    stop();
    for (const instrumentation of instrumentations) instrumentation.disable();
    const alone = await countAwaits();
    for (const instrumentation of instrumentations) instrumentation.enable();
    expect(heard).toBe(alone);
  });

  test("who asks runs on in its own context, and is the one who holds", async () => {
    const { stop } = hear();
    const key = createContextKey("caller");
    const pool = make({ max: 1, create: async () => ({}) });
    const seen: unknown[] = [];
    await Promise.all(
      ["first", "second"].map((name) =>
        context.with(context.active().setValue(key, name), async () => {
          const resource = await pool.acquire();
          seen.push(context.active().getValue(key));
          const [loan] = loansOf(only());
          // What runs there nobody tells: it may be in use when it looks idle.
          expect(loan).toMatchObject({ isUnseen: true, request: requestOf(context.active()) });
          await pause(5);
          pool.release(resource);
        }),
      ),
    );
    expect(seen).toEqual(["first", "second"]);
    await pool.end();
    stop();
  });

  test("a driver's connections: the pool has their system and address; where the driver has a pool, there is no second", async () => {
    const { stop } = hear();
    const lent: unknown[] = [];
    const forget = knowConnections((resource) => {
      const { isPooled } = resource as { isPooled?: boolean };
      if (isPooled === undefined) return undefined;
      const place = {
        system: "postgresql",
        serverAddress: "db",
        serverPort: 5432,
        namespace: "app",
        poolName: undefined,
      };
      return { place, isPooled, lend: (reporter, loan) => void lent.push(reporter.pool.name, loan) };
    });
    const pools = [false, true].map((isPooled) => make({ max: 2, create: async () => ({ isPooled }) }));
    const resources = await Promise.all(pools.map((pool) => pool.acquire()));
    expect(readPools().map(({ pool: { name, system } }) => [name, system])).toEqual([["db:5432/app", "postgresql"]]);
    expect(lent).toEqual(["db:5432/app", ...loansOf(only())]);
    expect(loansOf(only())).toMatchObject([{ isUnseen: false }]);
    for (const [n, pool] of pools.entries()) pool.release(resources[n]);
    await Promise.all(pools.map((pool) => pool.end()));
    forget();
    stop();
  });

  test("disabled, pools leave the gauges and are as they were; enabled again, they come back once", async () => {
    const { timings, stop } = hear();
    const pool = make({ max: 1, create: async () => ({}) });
    const held = await pool.acquire();
    for (const instrumentation of instrumentations) instrumentation.disable();
    expect(readPools()).toEqual([]);
    const waits = pool.acquire();
    pool.release(held);
    pool.release(await waits);
    expect(timings).toMatchObject({ wait: [expect.any(Number)], use: [] });
    for (const instrumentation of instrumentations) instrumentation.enable();
    pool.release(await pool.acquire());
    expect(readPools()).toHaveLength(1);
    expect(timings.use).toHaveLength(1);
    await pool.end();
    expect(readPools()).toEqual([]);
    stop();
  });
});

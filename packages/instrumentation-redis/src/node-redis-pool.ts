import { performance } from "node:perf_hooks";
import { type Context, context } from "@opentelemetry/api";
import {
  type Guard,
  KnownPools,
  type Loan,
  type PoolReporter,
  replaceMethod,
  undoAll,
  type Waiter,
} from "@telltale/core";
import type { Client, ListNode, Pool, PoolOptions, Task } from "./node-redis.js";
import { sessionOf } from "./node-redis-session.js";
import type { Patch } from "./source-node-redis.js";

type Create = (this: unknown, ...args: never[]) => Pool;
interface PoolExports {
  readonly RedisClientPool: { readonly prototype: object };
}
interface Lists {
  readonly DoublyLinkedList: { readonly prototype: object };
  readonly SinglyLinkedList: { readonly prototype: object };
}

/** What node-redis sets where it is not told. */
const DEFAULTS: Required<PoolOptions> = { maximum: 100, acquireTimeout: 3000 };

/** A task of the app's, or a command of the pool's own, that is given a client. */
class PoolTask {
  readonly pool: Pool;
  readonly caller: Context;
  readonly askedMs = performance.now();
  waiter: Waiter | undefined = undefined;
  hasRun = false;

  constructor(pool: Pool, caller: Context) {
    this.pool = pool;
    this.caller = caller;
  }
}

interface Lent {
  readonly reporter: PoolReporter;
  readonly loan: Loan;
  takenMs: number;
}

/**
 * Patches the pool of majors 5 and 6. What waits for a client runs in the context of who asked, and not of who has given the client back.
 * A call that never gets one is a time-out of the pool; which command it was nobody knows. Returns what undoes it.
 */
export function patchPool(
  exports: object,
  { RedisClientPool }: PoolExports,
  { DoublyLinkedList, SinglyLinkedList }: Lists,
  patch: Patch,
  hears: () => boolean,
  guard: Guard,
): () => void {
  const pools = new KnownPools(readingOf);
  const options = new WeakMap<Pool, PoolOptions>();
  const tasks = new WeakMap<object, PoolTask>();
  const lent = new WeakMap<Client, Lent>();

  /** Makes its clients begin to connect; the first tells where the pool leads. */
  function hearingClients<T>(pool: Pool, run: () => T): T {
    const before = patch.opened;
    patch.opened = (client, connected) => {
      try {
        const reporter = know(pool, client);
        const startMs = performance.now();
        // The pool awaits it: nobody's rejection is handled here that was not.
        (connected as Promise<unknown>).then(
          () => reporter.timed("create", performance.now() - startMs),
          () => {},
        );
      } catch (error) {
        guard.failed(error);
      }
    };
    try {
      return run();
    } finally {
      patch.opened = before;
    }
  }

  function execute(original: (this: Pool, task: Task) => unknown) {
    return function (this: Pool, task: Task): unknown {
      if (!hears() || typeof task !== "function") return Reflect.apply(original, this, arguments);
      const pool = this._self ?? this;
      const asked = new PoolTask(pool, context.active());
      const noted: Task = (client) => {
        if (asked.hasRun || !guard.on) return task(client);
        const isLate = begin(asked, client);
        try {
          return isLate ? context.with(asked.caller, task, undefined, client) : task(client);
        } finally {
          patch.waited = undefined;
        }
      };
      tasks.set(noted, asked);
      const clients = this.totalClients;
      const result = hearingClients(pool, () => original.call(this, noted));
      if (!asked.hasRun && this.totalClients === clients && this.isOpen) {
        asked.waiter = pools.get(pool)?.waits(asked.caller, asked.askedMs);
      }
      return result;
    };
  }

  /** Whether it had to wait. */
  function begin(asked: PoolTask, client: Client): boolean {
    const nowMs = performance.now();
    const waitMs = nowMs - asked.askedMs;
    let isLate = false;
    try {
      asked.hasRun = true;
      isLate = context.active() !== asked.caller || asked.waiter !== undefined;
      const reporter = know(asked.pool, client);
      if (asked.waiter !== undefined) reporter.waited(asked.waiter, nowMs);
      giveBack(client, nowMs);
      let state = lent.get(client);
      if (state?.reporter !== reporter) {
        lent.set(client, (state = { reporter, loan: reporter.addConnection(), takenMs: 0 }));
      }
      state.takenMs = nowMs;
      reporter.taken(state.loan, asked.caller, nowMs);
      reporter.timed("wait", waitMs);
      patch.waited = { askedMs: asked.askedMs, waitMs };
    } catch (error) {
      guard.failed(error);
    }
    return isLate;
  }

  function giveBack(client: Client, nowMs: number): void {
    const state = lent.get(client);
    if (state === undefined || state.takenMs === 0) return;
    state.reporter.timed("use", nowMs - state.takenMs);
    state.reporter.returned(state.loan, nowMs);
    state.takenMs = 0;
  }

  /** A client comes back, or a task has waited for too long. */
  function removed(value: unknown): void {
    if (typeof value !== "object" || value === null) return;
    const { fn } = value as { fn?: unknown };
    const asked = typeof fn === "function" ? tasks.get(fn) : undefined;
    if (asked === undefined) {
      giveBack(value as Client, performance.now());
    } else if (!asked.hasRun) {
      asked.hasRun = true;
      const { acquireTimeout = DEFAULTS.acquireTimeout } = options.get(asked.pool) ?? {};
      const reporter = pools.get(asked.pool);
      // A timer may fire a millisecond early.
      if (performance.now() - asked.askedMs >= acquireTimeout - 1) reporter?.timedOut(asked.waiter);
      else if (asked.waiter !== undefined) reporter?.stoppedWaiting(asked.waiter);
    }
  }

  /** Its name is `host:port/database`. */
  function know(pool: Pool, client: Client): PoolReporter {
    const known = pools.get(pool);
    if (known !== undefined && pools.isOpen(pool)) return known;
    const { address, port, namespace } = sessionOf(client).target;
    return pools.register(pool, {
      name: `${port === undefined ? address : `${address}:${port}`}/${namespace}`,
      system: "redis",
    });
  }

  function readingOf(pool: Pool) {
    if (!pool.isOpen || pool.totalClients === 0) return undefined;
    const { maximum = DEFAULTS.maximum } = options.get(pool) ?? {};
    return { used: pool.clientsInUse, idle: pool.idleClients, pending: pool.tasksQueueLength, limit: maximum };
  }

  function create(find: () => Create): Create {
    const original = find();
    return function (this: unknown) {
      const pool = Reflect.apply(original, this, arguments) as Pool;
      try {
        options.set(pool._self ?? pool, { ...(arguments[1] as PoolOptions | undefined) });
      } catch (error) {
        guard.failed(error);
      }
      return pool;
    };
  }

  const hearRemoval = (list: object): (() => void) =>
    replaceMethod<(this: object, ...args: never[]) => unknown>(list, "remove", (find) => {
      const original = find();
      return function (this: object) {
        if (hears()) {
          try {
            removed((arguments[0] as ListNode | undefined)?.value);
          } catch (error) {
            guard.failed(error);
          }
        }
        return Reflect.apply(original, this, arguments);
      };
    });

  const { prototype } = RedisClientPool;
  const undo = [
    replaceMethod<Create>(RedisClientPool, "create", create),
    // Only here the pool's limit can be heard; the exports have the method as it was when they were made.
    replaceMethod<Create>(exports, "createClientPool", create),
    replaceMethod<(this: Pool, task: Task) => unknown>(prototype, "execute", (find) => execute(find())),
    replaceMethod<(this: Pool) => unknown>(prototype, "connect", (find) => {
      const original = find();
      return function (this: Pool): unknown {
        if (!hears()) return original.call(this);
        return hearingClients(this._self ?? this, () => original.call(this));
      };
    }),
    hearRemoval(DoublyLinkedList.prototype),
    hearRemoval(SinglyLinkedList.prototype),
  ];
  return () => {
    pools.close();
    undoAll(undo);
  };
}

import { performance } from "node:perf_hooks";
import { type Context, context } from "@opentelemetry/api";
import {
  attempt,
  type Guard,
  hasListeners,
  PoolCall,
  type PoolReporter,
  registerPool,
  replaceMethod,
  suppress,
  undoAll,
  type Waiter,
} from "@telltale/core";
import { type ConnectionState, stateOf, SYSTEM } from "./connection-state.js";
import type { Acquired, MssqlPool, TarnPool, TediousConnection } from "./driver.js";
import type { PoolLink } from "./link.js";

/** Who has asked for a connection. */
class Asking {
  readonly caller: Context = context.active();
  readonly askedMs = performance.now();
  waiter: Waiter | undefined = undefined;
}

/**
 * Patches mssql's pools of tedious' connections: they lend what a pool of tarn keeps, which tells when. What they inherit is replaced on
 * their own class, as pools of other drivers inherit the same. Returns what undoes it.
 */
export function patchPool(prototype: MssqlPool, link: PoolLink, guard: Guard): () => void {
  let active = true;
  const watched = new WeakSet<TarnPool>();
  /** What stops watching a pool; it holds no pool. */
  const stops = new Set<() => void>();
  const isOn = (): boolean => active && guard.on;

  /** Whatever asks for a connection comes by; its pool is made when mssql has connected. */
  const wrapInnerAcquire = (find: () => MssqlPool["_acquire"]): MssqlPool["_acquire"] =>
    function patchedInnerAcquire(this: MssqlPool) {
      if (isOn() && this.pool) watch(this, this.pool);
      return find().call(this);
    };

  /** The request that waits for the connection runs when it is called back. */
  const wrapAcquire = (find: () => MssqlPool["acquire"]): MssqlPool["acquire"] =>
    function patchedAcquire(this: MssqlPool, requester, callback) {
      if (!isOn() || !hasListeners() || typeof callback !== "function") {
        return Reflect.apply(find(), this, arguments as unknown as Parameters<MssqlPool["acquire"]>);
      }
      let call: PoolCall | undefined = new PoolCall(context.active(), undefined);
      const heard: Acquired = function acquired(error) {
        link.handedOver = error ? undefined : call;
        call = undefined;
        try {
          return Reflect.apply(callback, this, arguments as unknown as Parameters<Acquired>);
        } finally {
          link.handedOver = undefined;
        }
      };
      return find().call(this, requester, heard);
    };

  /** `SELECT 1`, to see whether a connection lives, is the pool's own and none of the app's calls. */
  const wrapValidate = (find: () => MssqlPool["_poolValidate"]): MssqlPool["_poolValidate"] =>
    function patchedValidate(this: MssqlPool, connection) {
      const validate = find();
      if (!isOn()) return validate.call(this, connection);
      return context.with(suppress(context.active()), () => validate.call(this, connection));
    };

  function watch({ config }: MssqlPool, pool: TarnPool): void {
    if (watched.has(pool)) return;
    watched.add(pool);
    try {
      const stop = follow(pool, `${config.server}:${config.port ?? 1433}/${config.database ?? ""}`, guard, () => {
        stops.delete(stop);
      });
      stops.add(stop);
    } catch (error) {
      guard.failed(error);
    }
  }

  const undo = [
    replaceMethod(prototype, "acquire", wrapAcquire),
    replaceMethod(prototype, "_acquire", wrapInnerAcquire),
    replaceMethod(prototype, "_poolValidate", wrapValidate),
  ];
  return () => {
    active = false;
    for (const stop of stops) stop();
    stops.clear();
    undoAll(undo);
  };
}

/** Tells of a pool until it ends; `ended` is called then. Returns what ends it before; nothing of it holds the pool. */
function follow(pool: TarnPool, name: string, guard: Guard, ended: () => void): () => void {
  const reference = new WeakRef(pool);
  const reporter: PoolReporter = registerPool({
    name,
    system: SYSTEM,
    read() {
      const living = reference.deref();
      if (living === undefined || living.destroyed) {
        ended();
        return undefined;
      }
      const used = living.numUsed() + living.numPendingCreates();
      return {
        used,
        idle: living.numFree(),
        pending: living.numPendingAcquires(),
        limit: living.max,
        idleMin: living.min,
      };
    },
  });
  const asking = new Map<unknown, Asking>();
  const creating = new Map<unknown, number>();

  function lend(asked: Asking, connection: TediousConnection): void {
    const state = known(connection);
    const now = performance.now();
    if (asked.waiter !== undefined) reporter.waited(asked.waiter, now);
    state.takenMs = now;
    state.loan ??= reporter.addConnection();
    reporter.taken(state.loan, asked.caller, now);
    reporter.timed("wait", now - asked.askedMs);
  }

  function known(connection: TediousConnection): ConnectionState {
    const state = stateOf(connection);
    if (state.reporter !== reporter) {
      state.reporter = reporter;
      state.target = undefined;
      state.loan = undefined;
    }
    return state;
  }

  const events: Readonly<Record<string, (id: unknown, subject: unknown) => void>> = {
    acquireRequest(id) {
      const asked = new Asking();
      asking.set(id, asked);
      const living = reference.deref();
      if (living === undefined || living.numFree() > 0) return;
      if (living.numUsed() + living.numPendingCreates() < living.max) return;
      asked.waiter = reporter.waits(asked.caller, asked.askedMs);
    },
    acquireSuccess(id, connection) {
      const asked = asking.get(id);
      asking.delete(id);
      if (asked !== undefined) lend(asked, connection as TediousConnection);
    },
    acquireFail(id, error) {
      const waiter = asking.get(id)?.waiter;
      asking.delete(id);
      if ((error as { name?: unknown } | undefined)?.name === "TimeoutError") reporter.timedOut(waiter);
      else if (waiter !== undefined) reporter.stoppedWaiting(waiter);
    },
    release(connection) {
      const state = stateOf(connection as TediousConnection);
      if (state.takenMs === 0) return;
      const now = performance.now();
      reporter.timed("use", now - state.takenMs);
      state.takenMs = 0;
      if (state.loan !== undefined) state.reporter?.returned(state.loan, now);
    },
    createRequest: (id) => void creating.set(id, performance.now()),
    createSuccess(id, connection) {
      const beganMs = creating.get(id);
      creating.delete(id);
      known(connection as TediousConnection);
      if (beganMs !== undefined) reporter.timed("create", performance.now() - beganMs);
    },
    createFail: (id) => void creating.delete(id),
  };
  const listeners = Object.entries(events).map(([event, tell]) => {
    const listener = (id: unknown, subject: unknown): void => attempt(guard, () => tell(id, subject));
    return [event, listener] as const;
  });
  for (const [event, listener] of listeners) pool.on(event, listener);
  return () => {
    reporter.close();
    const living = reference.deref();
    if (living !== undefined) for (const [event, listener] of listeners) living.removeListener(event, listener);
  };
}

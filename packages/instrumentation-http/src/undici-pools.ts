import { performance } from "node:perf_hooks";
import { Attached, type Guard, type PoolReporter, replaceMethod } from "@telltale/core";
import { registerHttpPool } from "./http-pools.js";
import type { Sending } from "./sending.js";

/** What is used of undici's pools, equal in 5 to 8. */
interface UndiciPool {
  readonly destroyed: boolean;
  readonly stats: { readonly connected: number; readonly free: number; readonly pending: number };
}

class KnownPool extends Attached {
  #reporter: PoolReporter | undefined;

  constructor(pool: object, reporter: PoolReporter | undefined) {
    super(pool);
    this.#reporter = reporter;
  }

  static get(pool: object): PoolReporter | undefined {
    return #reporter in pool ? pool.#reporter : undefined;
  }

  static has(pool: object): boolean {
    return #reporter in pool;
  }
}

/** A request has its connection and is written to it. */
export function noteWait(sending: Sending | undefined): void {
  if (sending?.pool === undefined) return;
  KnownPool.get(sending.pool)?.timed("wait", performance.now() - sending.askedMs);
  sending.pool = undefined;
}

type AddClient = (this: UndiciPool, client: object) => unknown;

/** Registers each pool with its first client; a pool of pools (`BalancedPool`) is none of connections. */
export function hearPools(pools: object, Client: { readonly prototype: object }, guard: Guard): () => void {
  return replaceMethod<AddClient>(
    pools,
    symbolOf(pools, "add client"),
    (find) =>
      function addClient(this: UndiciPool, client) {
        if (guard.on) {
          try {
            // oxlint-disable-next-line no-new
            if (!KnownPool.has(this) && isA(client, Client)) new KnownPool(this, register(this));
          } catch (error) {
            guard.failed(error);
          }
        }
        return Reflect.apply(find(), this, arguments);
      },
  );
}

function isA(client: object, Client: { readonly prototype: object }): boolean {
  return Object.prototype.isPrototypeOf.call(Client.prototype, client);
}

function register(pool: UndiciPool): PoolReporter | undefined {
  const { origin } = valueOf(pool, "url") as URL;
  const limit = valueOf(pool, "connections");
  const ref = new WeakRef(pool);
  return registerHttpPool(origin, () => {
    const living = ref.deref();
    if (living === undefined || living.destroyed) return undefined;
    const { connected, free, pending } = living.stats;
    return { used: connected - free, idle: free, pending, limit: typeof limit === "number" ? limit : undefined };
  });
}

/** What undici keeps by symbols that it does not export; their descriptions have not changed since undici 5. */
export function symbolOf(owner: object, description: string): symbol {
  const found = Object.getOwnPropertySymbols(owner).find((one) => one.description === description);
  if (found === undefined) throw new Error(`expected undici to have the symbol ${description}`);
  return found;
}

function valueOf(owner: object, description: string): unknown {
  return (owner as Record<symbol, unknown>)[symbolOf(owner, description)];
}

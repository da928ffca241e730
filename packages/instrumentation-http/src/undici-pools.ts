import { performance } from "node:perf_hooks";
import { Attached, type Guard, type PoolReporter, replaceMethod } from "@telltale/core";
import { isOpen, registerHttpPool } from "./http-pools.js";
import { partsOf } from "./request-attributes.js";
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

  /** Registers a pool, once; again where it was closed meanwhile. */
  static know(pool: UndiciPool): void {
    // oxlint-disable-next-line no-new
    if (!(#reporter in pool)) new KnownPool(pool, register(pool));
    else if (pool.#reporter !== undefined && !isOpen(pool.#reporter)) pool.#reporter = register(pool);
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
  let active = true;
  const restore = replaceMethod<AddClient>(
    pools,
    symbolOf(pools, "add client"),
    (find) =>
      function addClient(this: UndiciPool, client) {
        if (active && guard.on) {
          try {
            if (isA(client, Client)) KnownPool.know(this);
          } catch (error) {
            guard.failed(error);
          }
        }
        return Reflect.apply(find(), this, arguments);
      },
  );
  return () => {
    active = false;
    restore();
  };
}

/**
 * Registers the pools of the global `fetch`, of which a connection has just been opened: they are made by the copy of undici that is
 * part of Node, but kept where every copy finds them.
 */
export function findGlobalPools(): void {
  for (const key of ["undici.globalDispatcher.1", "undici.globalDispatcher.2"]) {
    const dispatcher = (globalThis as Record<symbol, unknown>)[Symbol.for(key)];
    const clients = isObject(dispatcher) ? valueOf(dispatcher, "clients") : undefined;
    // A dispatcher of another kind has none, or not by their origins.
    if (!(clients instanceof Map)) continue;
    for (const entry of clients.values() as Iterable<unknown>) {
      // Some versions count the connections beside each.
      const pool = isObject(entry) && "dispatcher" in entry ? entry.dispatcher : entry;
      if (isObject(pool) && "stats" in pool && isObject(pool.stats) && "free" in pool.stats)
        KnownPool.know(pool as UndiciPool);
    }
  }
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

function isA(client: object, Client: { readonly prototype: object }): boolean {
  return Object.prototype.isPrototypeOf.call(Client.prototype, client);
}

function register(pool: UndiciPool): PoolReporter | undefined {
  const { origin } = (valueOf(pool, "url") ?? {}) as { readonly origin?: string };
  if (origin === undefined) return undefined;
  const { host, port } = partsOf(origin);
  const limit = valueOf(pool, "connections");
  const ref = new WeakRef(pool);
  return registerHttpPool(origin, { address: host, port }, () => {
    const living = ref.deref();
    if (living === undefined || living.destroyed) return undefined;
    const { connected, free, pending } = living.stats;
    return { used: connected - free, idle: free, pending, limit: typeof limit === "number" ? limit : undefined };
  });
}

/** What undici keeps by symbols that it does not export; their descriptions have not changed since undici 5. */
export function symbolOf(owner: object, description: string): symbol {
  const found = findSymbol(owner, description);
  if (found === undefined) throw new Error(`expected undici to have the symbol ${description}`);
  return found;
}

function findSymbol(owner: object, description: string): symbol | undefined {
  return Object.getOwnPropertySymbols(owner).find((one) => one.description === description);
}

function valueOf(owner: object, description: string): unknown {
  const symbol = findSymbol(owner, description);
  return symbol === undefined ? undefined : (owner as Record<symbol, unknown>)[symbol];
}

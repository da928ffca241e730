import { performance } from "node:perf_hooks";
import { type Context, context } from "@opentelemetry/api";
import {
  type DatabasePlace,
  findConnection,
  type Guard,
  hasListeners,
  KnownPools,
  type Loan,
  type PoolReading,
  type PoolReporter,
  type Waiter,
} from "@telltale/core";

/** What a library's pool shows of itself. */
export interface View<Pool> {
  /** The name that the app gave it. */
  nameOf(pool: Pool): string | undefined;
  /** Undefined once it has ended. */
  read(pool: Pool): PoolReading | undefined;
  /** Things that are being made: neither used nor idle. */
  countMaking(pool: Pool): number;
}

/** What a library tells of its pools. Each step is to be told where it happens; nothing of it throws. */
export interface Lending<Pool> {
  /** False once undone or failed. */
  isOn(): boolean;
  /** Somebody asks, in the context that is active now; undefined while nobody listens. */
  ask(pool: Pool): Asking<Pool> | undefined;
  gave(asking: Asking<Pool>, resource: unknown): void;
  /** Whoever asked gets nothing. */
  refused(asking: Asking<Pool>, isTimeout: boolean): void;
  made(pool: Pool, resource: unknown, ms: number): void;
  /** It comes back, or is thrown away; what is not lent may be told, too. */
  returned(pool: Pool, resource: unknown): void;
  undo(): void;
}

/** One who asks. */
export class Asking<Pool> {
  readonly pool: Pool;
  readonly caller: Context = context.active();
  readonly askedMs = performance.now();
  waiter: Waiter | undefined = undefined;
  /** A pool may give to one who has given up, and who then does not take it. */
  isOver = false;

  constructor(pool: Pool) {
    this.pool = pool;
  }
}

/** A thing that is lent. */
class Lent {
  readonly loan: Loan;
  /** A driver tells its loan what runs there. */
  readonly isToldOf: boolean;
  /** 0 while it is in the pool. */
  takenMs = 0;

  constructor(loan: Loan, isToldOf: boolean) {
    this.loan = loan;
    this.isToldOf = isToldOf;
  }
}

interface KnownPool {
  /** Undefined where what it lends belongs to a pool that is heard already. */
  readonly reporter: PoolReporter | undefined;
  /** It has made nothing yet that would tell where it leads. */
  readonly isUnmade: boolean;
  readonly lent: WeakMap<object, Lent>;
}

/** Hears the pools of one library, `library` by name. */
export function createLending<Pool extends object>(library: string, view: View<Pool>, guard: Guard): Lending<Pool> {
  const pools = new WeakMap<Pool, KnownPool>();
  const registered = new KnownPools<Pool>((pool) => view.read(pool));
  let active = true;
  const isOn = (): boolean => active && guard.on;

  function register(pool: Pool, place: DatabasePlace | undefined): PoolReporter {
    return registered.register(pool, {
      name: view.nameOf(pool) ?? (place === undefined ? library : addressOf(place)),
      system: place?.system,
    });
  }

  /** The first thing that a pool makes tells where it leads; before, it is known if somebody waits in vain. */
  function know(pool: Pool, resource: object | undefined): KnownPool {
    const known = pools.get(pool);
    if (known !== undefined && (!known.isUnmade || resource === undefined)) return known;
    registered.leave(pool);
    const connection = resource === undefined ? undefined : findConnection(resource);
    const now: KnownPool = {
      reporter: connection?.isPooled === true ? undefined : register(pool, connection?.place),
      isUnmade: resource === undefined,
      lent: new WeakMap(),
    };
    pools.set(pool, now);
    return now;
  }

  function lentOf(pool: Pool, resource: unknown): Lent | undefined {
    if (!isObject(resource)) return undefined;
    const { reporter, lent } = know(pool, resource);
    if (reporter === undefined) return undefined;
    const known = lent.get(resource);
    if (known !== undefined) return known;
    const loan = reporter.addConnection();
    const connection = findConnection(resource);
    connection?.lend(reporter, loan);
    const added = new Lent(loan, connection !== undefined);
    lent.set(resource, added);
    return added;
  }

  /** Only where all are lent: one that is still to be made is nobody's to give back. */
  function isExhausted(pool: Pool): boolean {
    const reading = view.read(pool);
    if (reading?.limit === undefined || reading.idle > reading.pending) return false;
    return reading.used + reading.idle + view.countMaking(pool) >= reading.limit;
  }

  return {
    isOn,
    ask(pool) {
      if (!isOn() || !hasListeners()) return undefined;
      try {
        const asking = new Asking(pool);
        const reporter = pools.get(pool)?.reporter;
        if (reporter !== undefined && isExhausted(pool)) {
          asking.waiter = reporter.waits(asking.caller, asking.askedMs);
        }
        return asking;
      } catch (error) {
        guard.failed(error);
        return undefined;
      }
    },
    gave(asking, resource) {
      if (!isOn() || asking.isOver) return;
      asking.isOver = true;
      const { pool, caller, askedMs, waiter } = asking;
      try {
        const lent = lentOf(pool, resource);
        const { reporter } = know(pool, undefined);
        const now = performance.now();
        if (waiter !== undefined) reporter?.waited(waiter, now);
        reporter?.timed("wait", now - askedMs);
        if (lent === undefined) return;
        lent.takenMs = now;
        reporter?.taken(lent.loan, caller, now);
        if (!lent.isToldOf) lent.loan.isUnseen = true;
      } catch (error) {
        guard.failed(error);
      }
    },
    refused(asking, isTimeout) {
      if (!isOn() || asking.isOver) return;
      asking.isOver = true;
      const { pool, waiter } = asking;
      try {
        if (isTimeout) know(pool, undefined).reporter?.timedOut(waiter);
        else waiter?.leave();
      } catch (error) {
        guard.failed(error);
      }
    },
    made(pool, resource, ms) {
      if (!isOn()) return;
      try {
        const { reporter } = know(pool, isObject(resource) ? resource : undefined);
        reporter?.timed("create", ms);
      } catch (error) {
        guard.failed(error);
      }
    },
    returned(pool, resource) {
      if (!isOn() || !isObject(resource)) return;
      try {
        const known = pools.get(pool);
        const lent = known?.lent.get(resource);
        if (known === undefined || lent === undefined || lent.takenMs === 0) return;
        const now = performance.now();
        known.reporter?.timed("use", now - lent.takenMs);
        known.reporter?.returned(lent.loan, now);
        lent.takenMs = 0;
      } catch (error) {
        guard.failed(error);
      }
    },
    undo() {
      active = false;
      registered.close();
    },
  };
}

/** As pools of drivers are named. */
function addressOf({ serverAddress, serverPort, namespace = "" }: DatabasePlace): string {
  return `${serverAddress}${serverPort === undefined ? "" : `:${serverPort}`}/${namespace}`;
}

function isObject(value: unknown): value is object {
  return (typeof value === "object" && value !== null) || typeof value === "function";
}

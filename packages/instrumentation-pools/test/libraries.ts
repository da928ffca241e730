import { createRequire } from "node:module";
import { genericPoolInstrumentation, sequelizePoolInstrumentation, tarnInstrumentation } from "../src/index.js";

// The instrumentations must be on before the libraries load, as the preload sees to it.
export const instrumentations = [tarnInstrumentation(), genericPoolInstrumentation(), sequelizePoolInstrumentation()];
for (const instrumentation of instrumentations) instrumentation.enable();

export interface Making {
  readonly max: number;
  create(): Promise<unknown>;
  destroy?(resource: unknown): unknown;
  /** In ms. */
  readonly waitAtMost?: number;
}

/** A pool, whatever library it is of. */
export interface AnyPool {
  acquire(): PromiseLike<unknown>;
  release(resource: unknown): unknown;
  /** What it says of itself. */
  counts(): { used: number; idle: number; pending: number };
  end(): Promise<unknown>;
  /** The library's own. */
  readonly inner: object;
}

export interface Release {
  readonly library: string;
  readonly name: string;
  make(making: Making): AnyPool;
}

interface Tarn {
  acquire(): { readonly promise: Promise<unknown> };
  release(resource: unknown): boolean;
  destroy(): Promise<unknown>;
  numUsed(): number;
  numFree(): number;
  numPendingAcquires(): number;
}
interface GenericPool {
  acquire(): Promise<unknown>;
  release(resource: unknown): Promise<unknown>;
  drain(): Promise<unknown>;
  clear(): Promise<unknown>;
  readonly borrowed: number;
  readonly available: number;
  readonly pending: number;
}
interface SequelizePool {
  acquire(): Promise<unknown>;
  release(resource: unknown): void;
  drain(): Promise<unknown>;
  destroyAllNow(): Promise<unknown>;
  readonly using: number;
  readonly available: number;
  readonly waiting: number;
}

const nothing = (): unknown => undefined;

function makeTarn(library: unknown, { max, create, destroy = nothing, waitAtMost }: Making): AnyPool {
  const { Pool } = library as { Pool: new (options: object) => Tarn };
  const options = { min: 0, max, create, destroy, ...(waitAtMost && { acquireTimeoutMillis: waitAtMost }) };
  const inner = new Pool({ ...options, propagateCreateError: true });
  return {
    inner,
    acquire: () => inner.acquire().promise,
    release: (resource) => inner.release(resource),
    counts: () => ({ used: inner.numUsed(), idle: inner.numFree(), pending: inner.numPendingAcquires() }),
    end: () => inner.destroy(),
  };
}

function makeGenericPool(library: unknown, { max, create, destroy = async () => {}, waitAtMost }: Making): AnyPool {
  const { createPool } = library as { createPool(factory: object, options: object): GenericPool };
  const inner = createPool({ create, destroy }, { max, ...(waitAtMost && { acquireTimeoutMillis: waitAtMost }) });
  return {
    inner,
    acquire: () => inner.acquire(),
    release: (resource) => inner.release(resource),
    counts: () => ({ used: inner.borrowed, idle: inner.available, pending: inner.pending }),
    end: () => inner.drain().then(() => inner.clear()),
  };
}

function makeSequelizePool(library: unknown, { max, create, destroy = nothing, waitAtMost }: Making): AnyPool {
  const { Pool } = library as { Pool: new (factory: object) => SequelizePool };
  const factory = { create, destroy, validate: () => true, min: 0, max };
  const inner = new Pool({ ...factory, ...(waitAtMost && { acquireTimeoutMillis: waitAtMost }) });
  return {
    inner,
    acquire: () => inner.acquire(),
    release: (resource) => inner.release(resource),
    counts: () => ({ used: inner.using, idle: inner.available, pending: inner.waiting }),
    end: () => inner.drain().then(() => inner.destroyAllNow()),
  };
}

const makers = { tarn: makeTarn, "generic-pool": makeGenericPool, "sequelize-pool": makeSequelizePool };

/** The oldest and the newest release of each that is supported. */
export const releases: readonly Release[] = Object.entries(makers).flatMap(([library, make]) =>
  [
    ["oldest", "old-majors"],
    ["newest", "orms"],
  ].map(([age, workspace]) => {
    const require = createRequire(new URL(`../../../.${workspace}/package.json`, import.meta.url));
    const loaded: unknown = require(library);
    const { version } = require(`${library}/package.json`) as { version: string };
    return { library, name: `${library} ${version}, the ${age}`, make: (making: Making) => make(loaded, making) };
  }),
);

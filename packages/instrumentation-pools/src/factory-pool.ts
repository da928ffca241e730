import { performance } from "node:perf_hooks";
import { type Guard, replaceMethod } from "@telltale/core";
import type { Lending } from "./lending.js";
import { keepRequest, type Request } from "./requests.js";

/** A pool that makes what it lends with a factory of the app's. */
export interface FactoryPool {
  _factory: { create(...args: unknown[]): unknown };
  acquire(priority?: unknown): unknown;
  release(resource: unknown): unknown;
  destroy(resource: unknown): unknown;
  _createResource(): unknown;
}

/** Where requests are told of, and steps that undo it. */
interface FactoryPoolPatch {
  /** To be called with the request that an `acquire` has made, before that returns. */
  keep(request: Request): void;
  readonly undo: (() => void)[];
}

/** Patches what the pools of two libraries have in common: asking, giving back, making. */
export function patchFactoryPool<Pool extends FactoryPool>(
  prototype: Pool,
  lending: Lending<Pool>,
  guard: Guard,
): FactoryPoolPatch {
  /** Whose `acquire` is on the stack, until its request is known. */
  let asked: Pool | undefined;

  function acquireFrom(pool: Pool, acquire: Pool["acquire"], args: IArguments): unknown {
    asked = pool;
    try {
      return Reflect.apply(acquire, pool, args);
    } finally {
      asked = undefined;
    }
  }

  /** A pool calls `create` once, before this returns: for so long it has a factory that inherits from the app's. */
  function createIn(pool: Pool, createResource: Pool["_createResource"], args: IArguments): unknown {
    if (!lending.isOn()) return Reflect.apply(createResource, pool, args);
    const factory = pool._factory;
    const timed = timedFactory(pool, factory);
    pool._factory = timed;
    try {
      return Reflect.apply(createResource, pool, args);
    } finally {
      if (pool._factory === timed) pool._factory = factory;
    }
  }

  function timedFactory(pool: Pool, factory: FactoryPool["_factory"]): FactoryPool["_factory"] {
    const create = (...args: unknown[]): unknown => {
      const beganMs = performance.now();
      const making: unknown = Reflect.apply(factory.create, factory, args);
      try {
        // The pool has handlers of its own there: this one hides nothing. A promise of the app's own kind may do something where it is awaited.
        if (making instanceof Promise && making.constructor === Promise) {
          void making.then(
            (resource) => lending.made(pool, resource, performance.now() - beganMs),
            () => {},
          );
        }
      } catch (error) {
        guard.failed(error);
      }
      return making;
    };
    return Object.create(factory, { create: { value: create } }) as FactoryPool["_factory"];
  }

  const wrapReturn = (find: () => Pool["release"]): Pool["release"] =>
    function (this: Pool, resource) {
      lending.returned(this, resource);
      return Reflect.apply(find(), this, arguments);
    };

  return {
    keep(request) {
      if (asked !== undefined) keepRequest(request, asked, lending);
      asked = undefined;
    },
    undo: [
      replaceMethod<Pool["acquire"]>(
        prototype,
        "acquire",
        (find) =>
          function (this: Pool) {
            return acquireFrom(this, find(), arguments);
          },
      ),
      replaceMethod<Pool["_createResource"]>(
        prototype,
        "_createResource",
        (find) =>
          function (this: Pool) {
            return createIn(this, find(), arguments);
          },
      ),
      replaceMethod(prototype, "release", wrapReturn),
      replaceMethod(prototype, "destroy", wrapReturn),
    ],
  };
}

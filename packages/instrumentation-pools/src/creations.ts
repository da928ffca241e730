import { performance } from "node:perf_hooks";
import { type Guard, replaceMethod } from "@telltale/core";
import type { Lending } from "./lending.js";

/** A pool that makes what it lends with a factory of the app's. */
export interface FactoryPool {
  _factory: { create(...args: unknown[]): unknown };
  _createResource(): unknown;
}

/**
 * Times what factories do. A pool calls `create` once, before `_createResource` returns: for so long the pool has a factory that inherits from
 * the app's. Returns what undoes it.
 */
export function timeCreations<Pool extends FactoryPool>(
  prototype: Pool,
  lending: Lending<Pool>,
  guard: Guard,
): () => void {
  return replaceMethod<Pool["_createResource"]>(
    prototype,
    "_createResource",
    (find) =>
      function (this: Pool) {
        const factory = this._factory;
        const timed = lending.isOn() ? timedFactory(this, factory) : factory;
        this._factory = timed;
        try {
          return Reflect.apply(find(), this, arguments);
        } finally {
          if (this._factory === timed) this._factory = factory;
        }
      },
  );

  function timedFactory(pool: Pool, factory: FactoryPool["_factory"]): FactoryPool["_factory"] {
    const create = (...args: unknown[]): unknown => {
      const beganMs = performance.now();
      const making: unknown = Reflect.apply(factory.create, factory, args);
      try {
        // The pool has handlers of its own there: this one hides nothing.
        if (making instanceof Promise) {
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
}

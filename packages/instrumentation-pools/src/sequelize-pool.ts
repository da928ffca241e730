import {
  defineInstrumentation,
  type Guard,
  type Instrumentation,
  replaceMethod,
  undoAll,
  requireInner,
} from "@telltale/core";
import { type FactoryPool, patchFactoryPool } from "./factory-pool.js";
import { createLending } from "./lending.js";
import { hearRequests, type Request } from "./requests.js";

/** What is used of a sequelize-pool; unchanged since 6.0. */
interface Pool extends FactoryPool {
  readonly name: unknown;
  readonly size: number;
  readonly using: number;
  readonly available: number;
  readonly waiting: number;
  readonly minSize: number;
  readonly maxSize: number;
  readonly _draining: boolean;
}

interface Deferred extends Request {
  registerTimeout(...args: unknown[]): unknown;
}

interface Exports {
  readonly Pool: { readonly prototype: Pool };
  readonly TimeoutError: new () => Error;
}

/** sequelize-pool 6 to 8, the pool of Sequelize. */
export function sequelizePoolInstrumentation(): Instrumentation {
  return defineInstrumentation({
    name: "sequelize-pool",
    modules: [
      {
        module: "sequelize-pool",
        majors: [6, 8],
        target: (exports) => (exports as Exports).Pool.prototype,
        inner: ["./Deferred"],
        patch(loaded, guard) {
          const { Deferred } = requireInner(loaded, "./Deferred") as { Deferred: { readonly prototype: Deferred } };
          return patchPool(loaded.exports as Exports, Deferred.prototype, guard);
        },
      },
    ],
  });
}

function patchPool({ Pool: { prototype }, TimeoutError }: Exports, deferred: Deferred, guard: Guard): () => void {
  const lending = createLending<Pool>(
    "sequelize-pool",
    {
      // Sequelize calls the pool so where it has a single one.
      nameOf: ({ name }) => (typeof name === "string" && name !== "" && name !== "sequelize" ? name : undefined),
      read({ size, using, available, waiting, minSize, maxSize, _draining: isEnding }) {
        if (isEnding && size === 0) return undefined;
        return { used: using, idle: available, pending: waiting, limit: maxSize, idleMin: minSize };
      },
      countMaking: ({ size, using, available }) => size - using - available,
    },
    guard,
  );
  const { keep, undo: restore } = patchFactoryPool(prototype, lending, guard);
  const undo = [
    ...restore,
    replaceMethod<Deferred["registerTimeout"]>(
      deferred,
      "registerTimeout",
      (find) =>
        function (this: Deferred) {
          keep(this);
          return Reflect.apply(find(), this, arguments);
        },
    ),
    ...hearRequests(deferred, TimeoutError, lending, guard),
    () => lending.undo(),
  ];
  return () => undoAll(undo);
}

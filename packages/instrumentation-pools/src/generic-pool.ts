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

/** What is used of a generic-pool; unchanged since 3.0. */
interface Pool extends FactoryPool {
  readonly borrowed: number;
  readonly pending: number;
  readonly min: number;
  readonly max: number;
  readonly _allObjects: { readonly size: number };
  readonly _factoryCreateOperations: { readonly size: number };
  readonly _draining: boolean;
}

interface Queue {
  enqueue(request: Request, priority?: unknown): unknown;
}

type ClassOf<Instance> = { readonly prototype: Instance };

/** Files of the package. */
interface Files {
  readonly PriorityQueue: ClassOf<Queue>;
  readonly ResourceRequest: ClassOf<Request>;
  readonly TimeoutError: new () => Error;
}

/** generic-pool 3. */
export function genericPoolInstrumentation(): Instrumentation {
  return defineInstrumentation({
    name: "generic-pool",
    modules: [
      {
        module: "generic-pool",
        majors: [3, 3],
        target: (exports) => (exports as { Pool: ClassOf<Pool> }).Pool.prototype,
        inner: ["./lib/PriorityQueue", "./lib/ResourceRequest", "./lib/errors"],
        patch(loaded, guard) {
          const inner = (path: string): unknown => requireInner(loaded, path);
          return patchPool(
            (loaded.exports as { Pool: ClassOf<Pool> }).Pool.prototype,
            {
              PriorityQueue: inner("./lib/PriorityQueue") as ClassOf<Queue>,
              ResourceRequest: inner("./lib/ResourceRequest") as ClassOf<Request>,
              TimeoutError: (inner("./lib/errors") as { TimeoutError: new () => Error }).TimeoutError,
            },
            guard,
          );
        },
      },
    ],
  });
}

function patchPool(prototype: Pool, { PriorityQueue, ResourceRequest, TimeoutError }: Files, guard: Guard): () => void {
  const lending = createLending<Pool>(
    "generic-pool",
    {
      nameOf: () => undefined,
      read({ borrowed, pending, min, max, _allObjects: all, _draining: isEnding }) {
        if (isEnding && all.size === 0) return undefined;
        // What is being tested is open, too.
        return { used: borrowed, idle: all.size - borrowed, pending, limit: max, idleMin: min };
      },
      countMaking: ({ _factoryCreateOperations: making }) => making.size,
    },
    guard,
  );
  const { keep, undo: restore } = patchFactoryPool(prototype, lending, guard);
  const undo = [
    ...restore,
    replaceMethod<Queue["enqueue"]>(
      PriorityQueue.prototype,
      "enqueue",
      (find) =>
        function (this: Queue, request) {
          keep(request);
          return Reflect.apply(find(), this, arguments);
        },
    ),
    ...hearRequests(ResourceRequest.prototype, TimeoutError, lending, guard),
    () => lending.undo(),
  ];
  return () => undoAll(undo);
}

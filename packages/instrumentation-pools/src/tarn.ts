import { performance } from "node:perf_hooks";
import { defineInstrumentation, type Guard, type Instrumentation, replaceMethod } from "@telltale/core";
import { type Asking, createLending } from "./lending.js";

/** What is used of a tarn pool; unchanged since 3.0. */
interface Pool {
  readonly used: readonly unknown[];
  readonly free: readonly unknown[];
  readonly pendingAcquires: readonly unknown[];
  readonly pendingCreates: readonly unknown[];
  readonly min: number;
  readonly max: number;
  readonly destroyed: boolean;
  _executeEventHandlers(event: string, ...args: unknown[]): unknown;
}

interface Exports {
  readonly Pool: { readonly prototype: Pool };
  readonly TimeoutError: new () => Error;
}

/** tarn 3, the pool of knex. That of mssql, too, where its own instrumentation is off. */
export function tarnInstrumentation(): Instrumentation {
  return defineInstrumentation({
    name: "tarn",
    modules: [
      {
        module: "tarn",
        majors: [3, 3],
        target: (exports) => (exports as Exports).Pool.prototype,
        patch: ({ exports }, guard) => patchPool(exports as Exports, guard),
      },
    ],
  });
}

/** What a pool has under way, by the number that its events have. */
class UnderWay {
  readonly askings = new Map<unknown, Asking<Pool>>();
  readonly creationsMs = new Map<unknown, number>();
}

/** The pool passes each event through one method, whether anybody listens or not. */
function patchPool({ Pool: { prototype }, TimeoutError }: Exports, guard: Guard): () => void {
  const underWay = new WeakMap<Pool, UnderWay>();
  const lending = createLending<Pool>(
    "tarn",
    {
      nameOf: () => undefined,
      read({ used, free, pendingAcquires, min, max, destroyed }) {
        if (destroyed && used.length === 0 && free.length === 0) return undefined;
        return {
          used: used.length,
          idle: free.length,
          pending: pendingAcquires.length,
          limit: max,
          idleMin: min,
        };
      },
      countMaking: ({ pendingCreates }) => pendingCreates.length,
    },
    guard,
  );

  function wayOf(pool: Pool): UnderWay {
    const known = underWay.get(pool);
    if (known !== undefined) return known;
    const way = new UnderWay();
    underWay.set(pool, way);
    return way;
  }

  function hear(pool: Pool, event: string, first: unknown, second: unknown): void {
    if (event === "release") {
      lending.returned(pool, first);
      return;
    }
    const { askings, creationsMs } = wayOf(pool);
    if (event === "acquireRequest") {
      const asking = lending.ask(pool);
      if (asking !== undefined) askings.set(first, asking);
    } else if (event === "acquireSuccess" || event === "acquireFail") {
      const asking = askings.get(first);
      if (asking === undefined) return;
      askings.delete(first);
      if (event === "acquireSuccess") lending.gave(asking, second);
      else lending.refused(asking, second instanceof TimeoutError);
    } else if (event === "createRequest") {
      creationsMs.set(first, performance.now());
    } else if (event === "createSuccess" || event === "createFail") {
      const beganMs = creationsMs.get(first);
      if (beganMs === undefined) return;
      creationsMs.delete(first);
      if (event === "createSuccess") lending.made(pool, second, performance.now() - beganMs);
    }
  }

  const restore = replaceMethod<Pool["_executeEventHandlers"]>(
    prototype,
    "_executeEventHandlers",
    (find) =>
      function (this: Pool, event, first, second) {
        // Listeners first: mssql's are told whose connections these are.
        const result: unknown = Reflect.apply(find(), this, arguments);
        if (lending.isOn()) {
          try {
            hear(this, event, first, second);
          } catch (error) {
            guard.failed(error);
          }
        }
        return result;
      },
  );
  return () => {
    lending.undo();
    restore();
  };
}

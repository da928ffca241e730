import { performance } from "node:perf_hooks";
import { type Context, context } from "@opentelemetry/api";
import {
  Attached,
  endOperation,
  isSuppressed,
  replaceMethod,
  siteWanted,
  startDatabaseOperation,
  type TakenSite,
  takeSite,
} from "@telltale/core";
import { type Hearing, isHearing } from "./calls.js";
import { failCall } from "./failure.js";
import type { StatementState } from "./known-statement.js";

interface Rows {
  next(...values: unknown[]): unknown;
  return(...values: unknown[]): unknown;
}

/** Rows that are read one by one. Between them the app runs, which is not the statement's time: only the steps are. */
class Iteration {
  readonly state: StatementState;
  readonly values: readonly unknown[];
  readonly context: Context = context.active();
  takenSite: TakenSite | undefined = undefined;
  busyMs = 0;
  rows = 0;
  hasEnded = false;

  constructor(state: StatementState, values: readonly unknown[]) {
    this.state = state;
    this.values = values;
  }

  /** Reports it, at its end: for as long as its steps took together. */
  end(error?: { readonly thrown: unknown }): void {
    if (this.hasEnded) return;
    this.hasEnded = true;
    const { state, values, rows, takenSite } = this;
    const startMs = performance.now() - this.busyMs;
    const operation = startDatabaseOperation(state.template, state.text, values, this.context, startMs);
    operation.takenSite = takenSite;
    operation.rows = rows;
    if (error === undefined) endOperation(operation);
    else failCall(operation, error.thrown);
  }
}

class KnownIterator extends Attached {
  readonly #iteration: Iteration;

  constructor(iterator: object, iteration: Iteration) {
    super(iterator);
    this.#iteration = iteration;
  }

  static get(iterator: object): Iteration | undefined {
    return #iteration in iterator ? iterator.#iteration : undefined;
  }
}

/** Wraps `iterate`. What it returns is the driver's own iterator; `undo` is given what restores the iterators' prototype. */
export function wrapIterate<Owner extends object>(
  hearing: Hearing,
  original: (this: Owner, ...values: never[]) => unknown,
  stateFor: (owner: Owner, values: readonly unknown[]) => StatementState | undefined,
  undo: (() => void)[],
): (this: Owner, ...values: unknown[]) => unknown {
  const patched = new WeakSet<object>();

  return function patchedIterate(this: Owner, ...values) {
    if (!isHearing(hearing)) return Reflect.apply(original, this, values);
    let iteration: Iteration | undefined;
    try {
      const state = isSuppressed(context.active()) ? undefined : stateFor(this, values);
      if (state !== undefined) {
        iteration = new Iteration(state, values);
        if (siteWanted(state.template))
          iteration.takenSite = takeSite(state.template, patchedIterate as (...values: never[]) => unknown);
      }
    } catch (error) {
      hearing.guard.failed(error);
    }
    const startMs = performance.now();
    let iterator: unknown;
    try {
      iterator = Reflect.apply(original, this, values);
    } catch (thrown) {
      if (iteration !== undefined) {
        iteration.busyMs = performance.now() - startMs;
        iteration.end({ thrown });
      }
      throw thrown;
    }
    if (iteration !== undefined) {
      iteration.busyMs = performance.now() - startMs;
      try {
        follow(iterator as Rows, iteration);
      } catch (error) {
        hearing.guard.failed(error);
      }
    }
    return iterator;
  };

  function follow(iterator: Rows, iteration: Iteration): void {
    // Node 22 before 22.16 gives each iterator methods of its own.
    const isOwn = Object.hasOwn(iterator, "next");
    const owner = isOwn ? iterator : (Object.getPrototypeOf(iterator) as object);
    if (!patched.has(owner)) {
      patched.add(owner);
      const restore = [
        replaceMethod<Rows["next"]>(owner, "next", (find) => wrapStep(hearing, find())),
        replaceMethod<Rows["return"]>(owner, "return", (find) => wrapStep(hearing, find())),
      ];
      if (!isOwn) undo.push(...restore);
    }
    // oxlint-disable-next-line no-new
    new KnownIterator(iterator, iteration);
  }
}

function wrapStep(hearing: Hearing, original: Rows["next"]): Rows["next"] {
  return function patchedStep(this: Rows, ...values) {
    const iteration = hearing.active ? KnownIterator.get(this) : undefined;
    if (iteration === undefined || iteration.hasEnded) return Reflect.apply(original, this, values);
    const startMs = performance.now();
    let step: unknown;
    try {
      step = Reflect.apply(original, this, values);
    } catch (thrown) {
      iteration.busyMs += performance.now() - startMs;
      iteration.end({ thrown });
      throw thrown;
    }
    iteration.busyMs += performance.now() - startMs;
    if ((step as { done?: unknown } | undefined)?.done === true) iteration.end();
    else iteration.rows += 1;
    return step;
  };
}

import { type Guard, hasListeners, replaceMethod, undoAll } from "@telltale/core";

export type Method<This> = (this: This, ...args: unknown[]) => unknown;
/** Makes a method of the original; `hears` tells whether anybody is to be told anything. */
export type Wrap<This> = (original: Method<This>, hears: () => boolean, guard: Guard) => Method<This>;

/** Replaces methods of a class, those of them that it has. Returns what undoes it. */
export function patchMethods<This>(
  prototype: object,
  wraps: Readonly<Record<string, Wrap<This>>>,
  guard: Guard,
): () => void {
  const patch = { on: true };
  const hears = (): boolean => patch.on && guard.on && hasListeners();
  const undo = Object.entries(wraps)
    .filter(([name]) => typeof Reflect.get(prototype, name) === "function")
    .map(([name, wrap]) => replaceMethod<Method<This>>(prototype, name, (find) => wrap(find(), hears, guard)));
  return () => {
    patch.on = false;
    undoAll(undo);
  };
}

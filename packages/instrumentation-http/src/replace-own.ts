import { replaceMethod } from "@telltale/core";

/** Replaces a method on one object: who lists or inspects it does not see that. Returns what undoes it. */
export function replaceOwn<Method extends (...args: never[]) => unknown>(
  owner: object,
  name: string,
  wrap: (find: () => Method) => Method,
): () => void {
  const owned = Object.hasOwn(owner, name);
  const undo = replaceMethod(owner, name, wrap);
  if (!owned) Object.defineProperty(owner, name, { enumerable: false });
  return undo;
}

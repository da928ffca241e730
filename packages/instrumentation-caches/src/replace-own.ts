import type { Method } from "./patch-methods.js";

/** Replaces a method of one object. Returns what puts it back, unless somebody has replaced ours since: whoever has wrapped it goes on. */
export function replaceOwn(
  target: object,
  name: string,
  wrap: (original: Method<unknown>) => Method<unknown>,
): () => void {
  const own = Object.getOwnPropertyDescriptor(target, name);
  const original = Reflect.get(target, name) as Method<unknown>;
  const method = wrap(original);
  for (const property of ["name", "length"] as const) {
    Object.defineProperty(method, property, { value: original[property], configurable: true });
  }
  Object.defineProperty(target, name, {
    value: method,
    writable: true,
    configurable: true,
    enumerable: own?.enumerable ?? false,
  });
  return () => {
    if (Reflect.get(target, name) !== method) return;
    if (own !== undefined) Object.defineProperty(target, name, own);
    else Reflect.deleteProperty(target, name);
  };
}

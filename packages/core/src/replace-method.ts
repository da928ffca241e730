/**
 * Replaces a method in place: the replacement has the name, the length and the property's attributes of what it replaces. `wrap` is
 * given `find`, which tells what the method would be without the replacement; where it is inherited that is looked up at each call,
 * since others (`node:domain`) may patch the ancestor later.
 *
 * Returns what undoes it. Where somebody has wrapped ours by then, it stays below theirs: it must then pass calls through.
 *
 * @throws TypeError when the owner has no such method, or it cannot be replaced; nothing is then changed.
 */
export function replaceMethod<Method extends (...args: never[]) => unknown>(
  owner: object,
  name: string | symbol,
  wrap: (find: () => Method) => Method,
): () => void {
  const own = Object.getOwnPropertyDescriptor(owner, name);
  const ancestor = Object.getPrototypeOf(owner) as Record<string | symbol, Method>;
  const find = own !== undefined ? () => own.value as Method : finderOf(ancestor, name);
  const original = find() as unknown;
  if (typeof original !== "function")
    throw new TypeError(`expected a method ${String(name)} to listen to, found ${original}`);
  const wrapper = wrap(find);
  for (const property of ["name", "length"] as const) {
    Object.defineProperty(wrapper, property, { value: original[property], configurable: true });
  }
  Object.defineProperty(owner, name, { ...(own ?? inherited(owner, name)), value: wrapper });
  const methods = owner as Record<string | symbol, Method>;
  return () => {
    if (methods[name] !== wrapper) return;
    if (own === undefined) delete methods[name];
    else Object.defineProperty(owner, name, own);
  };
}

/** One for `emit`, which runs at every event: V8 looks a property up quickly only where its name stands in the code. */
function finderOf<Method>(ancestor: Record<string | symbol, Method>, name: string | symbol): () => Method {
  return name === "emit" ? () => ancestor["emit"] as Method : () => ancestor[name] as Method;
}

function inherited(owner: object, name: string | symbol): PropertyDescriptor | undefined {
  for (let at = Object.getPrototypeOf(owner) as object | null; at !== null; at = Object.getPrototypeOf(at) as object) {
    const found = Object.getOwnPropertyDescriptor(at, name);
    if (found !== undefined) return found;
  }
  return undefined;
}

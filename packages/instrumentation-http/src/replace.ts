/**
 * Replaces a method in place, under its old name; `find` gives what the method would be without the replacement, looked up at each call where it is
 * inherited, since others (`node:domain`) may patch the ancestor later. Where somebody has wrapped ours when it is undone, it
 * stays below theirs: it must then pass calls through.
 */
export function replaceMethod<Method extends (...args: never[]) => unknown>(
  owner: object,
  name: string,
  wrap: (find: () => Method) => Method,
): () => void {
  const methods = owner as Record<string, Method>;
  const own = Object.getOwnPropertyDescriptor(owner, name);
  const ancestor = Object.getPrototypeOf(owner) as Record<string, Method>;
  const find = own === undefined ? () => ancestor[name] as Method : () => own.value as Method;
  const wrapper = wrap(find);
  Object.defineProperty(wrapper, "name", { value: find().name, configurable: true });
  methods[name] = wrapper;
  return () => {
    if (methods[name] !== wrapper) return;
    if (own === undefined) delete methods[name];
    else Object.defineProperty(owner, name, own);
  };
}

import { useEffect, useRef } from "preact/hooks";

/** `keys`: one key as the browser calls it (`j`, `?`, `Enter`), or two after one another (`g n`). */
export interface KeyBinding {
  readonly keys: string;
  /** What it does, for the help. */
  readonly what: string;
  readonly run: () => void;
}

interface Group {
  readonly title: string;
  bindings: readonly KeyBinding[];
}

const groups: Group[] = [];
let prefix = "";
let prefixAt = 0;

const isTyping = (target: EventTarget | null): boolean =>
  target instanceof Element && target.closest("input, textarea, select, [contenteditable]") !== null;

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.metaKey || event.ctrlKey || event.altKey) return;
  if (isTyping(event.target)) {
    if (event.key === "Escape" && event.target instanceof HTMLElement) event.target.blur();
    return;
  }
  // A link or button that has the focus does what Enter and space do to it.
  const isOnControl = event.target instanceof Element && event.target.closest("a, button, summary") !== null;
  if (isOnControl && (event.key === "Enter" || event.key === " ")) return;
  const pressed = prefix && Date.now() - prefixAt < 1500 ? `${prefix} ${event.key}` : event.key;
  prefix = "";
  // The youngest first: a dialog's keys hide those of the page below it.
  const binding = findBinding(pressed) ?? findBinding(event.key);
  if (binding) {
    event.preventDefault();
    binding.run();
  } else if (groups.some(({ bindings }) => bindings.some(({ keys }) => keys.startsWith(`${event.key} `)))) {
    prefix = event.key;
    prefixAt = Date.now();
  }
});

function findBinding(pressed: string): KeyBinding | undefined {
  for (const { bindings } of groups.toReversed()) {
    const found = bindings.find(({ keys }) => keys === pressed);
    if (found) return found;
  }
  return undefined;
}

/** Keys that work as long as the component is there, and stand in the help under `title`. */
export function useKeys(title: string, bindings: readonly KeyBinding[]): void {
  const group = useRef<Group>({ title, bindings });
  group.current.bindings = bindings;
  useEffect(() => {
    const mine = group.current;
    groups.push(mine);
    return () => void groups.splice(groups.indexOf(mine), 1);
  }, []);
}

/** All keys that work now, those of the page first. */
export const listKeys = (): readonly { readonly title: string; readonly bindings: readonly KeyBinding[] }[] =>
  groups.toReversed().filter(({ bindings }) => bindings.length > 0);

import { useLayoutEffect, useRef } from "preact/hooks";

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

/** The title of the keys that work on every page; a page's own come before them. */
export const EVERYWHERE = "Everywhere";

const groups: Group[] = [];
let prefix = "";
let prefixAt = 0;

const isTyping = (target: EventTarget | null): boolean =>
  target instanceof Element &&
  target.closest('input:not([type="checkbox"], [type="radio"]), textarea, select, [contenteditable]') !== null;

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.metaKey || event.ctrlKey || event.altKey) return;
  if (isTyping(event.target)) {
    if (event.key === "Escape" && event.target instanceof HTMLElement) event.target.blur();
    return;
  }
  // A link or button that has the focus does what Enter and space do to it.
  const isOnControl = event.target instanceof Element && event.target.closest("a, button, summary, input") !== null;
  if (isOnControl && (event.key === "Enter" || event.key === " ")) return;
  const pressed = prefix && Date.now() - prefixAt < 1500 ? `${prefix} ${event.key}` : event.key;
  prefix = "";
  const binding = findBinding(pressed) ?? findBinding(event.key);
  if (binding) {
    event.preventDefault();
    binding.run();
  } else if (groups.some(({ bindings }) => bindings.some(({ keys }) => keys.startsWith(`${event.key} `)))) {
    prefix = event.key;
    prefixAt = Date.now();
  }
});

/** The youngest first. While a dialog is open, its keys alone: it came last. */
function findBinding(pressed: string): KeyBinding | undefined {
  const asked = document.querySelector("dialog[open]") ? groups.slice(-1) : groups.toReversed();
  for (const { bindings } of asked) {
    const found = bindings.find(({ keys }) => keys === pressed);
    if (found) return found;
  }
  return undefined;
}

/** Keys that work as long as the component is there, and stand in the help under `title`. */
export function useKeys(title: string, bindings: readonly KeyBinding[]): void {
  const group = useRef<Group>({ title, bindings });
  group.current.bindings = bindings;
  // Not after the next frame: who sees the page may press its keys.
  useLayoutEffect(() => {
    const mine = group.current;
    if (title === EVERYWHERE) groups.unshift(mine);
    else groups.push(mine);
    return () => void groups.splice(groups.indexOf(mine), 1);
  }, []);
}

/** All keys that work now, those of the page first. */
export function listKeys(): readonly { readonly title: string; readonly bindings: readonly KeyBinding[] }[] {
  const byTitle = Map.groupBy(groups.toReversed(), ({ title }) => title);
  return [...byTitle].map(([title, same]) => ({ title, bindings: same.flatMap(({ bindings }) => bindings) }));
}

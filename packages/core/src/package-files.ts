import { sep } from "node:path";

/** The files that `exports` gives for the package itself. */
export function targetsOf(exports: unknown): readonly string[] {
  if (typeof exports === "string") return [exports];
  if (typeof exports !== "object" || exports === null) return [];
  const entries = Object.entries(exports);
  const inner = entries.some(([key]) => key.startsWith("./")) ? (exports as Record<string, unknown>)["."] : undefined;
  if (inner !== undefined) return targetsOf(inner);
  return entries.filter(([key]) => !key.startsWith("./")).flatMap(([, target]) => targetsOf(target));
}

const MODULES = `${sep}node_modules${sep}`;

/** Where the package of a folder was installed; undefined for one that lies elsewhere, as the app does and what is linked to it. */
export function installedFolder(folder: string): string | undefined {
  const at = folder.lastIndexOf(MODULES);
  if (at < 0) return undefined;
  const inside = at + MODULES.length;
  const [first = "", second = ""] = folder.slice(inside).split(sep, 2);
  return folder.slice(0, inside) + (first.startsWith("@") ? first + sep + second : first);
}

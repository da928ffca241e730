/** What Express takes as a path. */
export type Path = string | RegExp | readonly Path[];

/** Longer routes (of generated expressions) are cut. */
const MAX_LENGTH = 256;

/** The single patterns of a path. */
export function patternsOf(path: Path): readonly (string | RegExp)[] {
  return typeof path === "string" || path instanceof RegExp ? [path] : path.flatMap(patternsOf);
}

/** A pattern below the patterns it is mounted under: `/:tenant/api` and `/orders/` are `/:tenant/api/orders`. */
export function joinPattern(prefix: string, pattern: string | RegExp): string {
  const text = pattern instanceof RegExp ? `/${pattern.source}/` : pattern.replace(/\/+$/, "");
  return (prefix + text).slice(0, MAX_LENGTH);
}

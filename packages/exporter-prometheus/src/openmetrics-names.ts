import { type Family, sampleNames } from "./families.js";

/**
 * Names and types of families in OpenMetrics, where the counter `jobs_total` is of the family `jobs`, and `target_info` of `target`.
 * Where there is something else of that name, or a counter that does not end in `_total`, the family keeps the name of its samples and
 * its type is not told.
 */
export function nameInOpenMetrics(families: readonly Family[]): (family: Family) => { name: string; type: string } {
  const taken = new Set(families.flatMap(sampleNames));
  const named = new Map<Family, { name: string; type: string }>();
  for (const family of families) {
    const { name, type } = family;
    if (type !== "counter" && type !== "info") continue;
    const base = /^(.+)_(?:total|info)$/s.exec(name)?.[1];
    const free = base !== undefined && !taken.has(base) && !taken.has(`${base}_created`);
    if (free && name === `${base}_${SUFFIXES[type]}`) {
      taken.add(base).add(`${base}_created`);
      named.set(family, { name: base, type });
    } else {
      named.set(family, { name, type: type === "info" ? "gauge" : "unknown" });
    }
  }
  return (family) => named.get(family) ?? { name: family.name, type: family.type };
}

const SUFFIXES = { counter: "total", info: "info" };

import { count } from "./self.js";

/** What a label value becomes when its set is full. */
export const OVERFLOW_LABEL = "other";

/** A bounded set of label values. */
export interface LabelSet {
  /** The value itself, while there is room or it is known; `other` after that, counted in `telltale.labels.overflow`. */
  bound(value: string): string;
}

/** At most `limit` different values of one label in the process's life (the SDK's own limit forgets at each collection). */
export function createLabelSet(label: string, limit: number): LabelSet {
  const known = new Set<string>();
  return {
    bound(value) {
      if (known.has(value)) return value;
      if (known.size < limit) {
        known.add(value);
        return value;
      }
      count("telltale.labels.overflow", "telltale.label", label);
      return OVERFLOW_LABEL;
    },
  };
}

import type { SelfCounter } from "../self.js";

/** What was used last, by a text. */
export interface Generations<Value> {
  get(key: string): Value | undefined;
  set(key: string, value: Value): void;
}

/**
 * At most so many entries, and so many characters of them together. There are two generations: when the younger is full, it becomes the
 * older, which is forgotten; what is used meanwhile comes over. So a look-up changes nothing.
 */
export function createGenerations<Value>(
  maxEntries: number,
  maxCharacters: number,
  lengthOf: (key: string, value: Value) => number,
  forgotten: SelfCounter,
): Generations<Value> {
  let younger = new Map<string, Value>();
  let older = new Map<string, Value>();
  let characters = 0;

  function set(key: string, value: Value): void {
    const length = lengthOf(key, value);
    if (younger.size >= maxEntries / 2 || characters + length > maxCharacters / 2) {
      forgotten.total += older.size;
      older = younger;
      younger = new Map();
      characters = 0;
    }
    younger.set(key, value);
    characters += length;
  }

  return {
    get(key) {
      const known = younger.get(key);
      if (known !== undefined) return known;
      const before = older.get(key);
      if (before === undefined) return undefined;
      older.delete(key);
      set(key, before);
      return before;
    },
    set,
  };
}

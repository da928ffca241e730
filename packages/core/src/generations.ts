import type { SelfCounter } from "./self.js";

/**
 * What was used last, by a text: at most so many entries, and so many characters of them together. There are two generations: when the
 * younger is full, it becomes the older, which is forgotten; what is used meanwhile comes over. So a look-up changes nothing.
 */
export class Generations<Value> {
  #younger = new Map<string, Value>();
  #older = new Map<string, Value>();
  #characters = 0;
  readonly #maxEntries: number;
  readonly #maxCharacters: number;
  readonly #lengthOf: (key: string, value: Value) => number;
  readonly #forgotten: SelfCounter;

  constructor(
    maxEntries: number,
    maxCharacters: number,
    lengthOf: (key: string, value: Value) => number,
    forgotten: SelfCounter,
  ) {
    this.#maxEntries = maxEntries;
    this.#maxCharacters = maxCharacters;
    this.#lengthOf = lengthOf;
    this.#forgotten = forgotten;
  }

  get(key: string): Value | undefined {
    return this.#younger.get(key) ?? this.#bringOver(key);
  }

  set(key: string, value: Value): void {
    const length = this.#lengthOf(key, value);
    if (this.#younger.size >= this.#maxEntries / 2 || this.#characters + length > this.#maxCharacters / 2) {
      this.#forgotten.total += this.#older.size;
      this.#older = this.#younger;
      this.#younger = new Map();
      this.#characters = 0;
    }
    this.#younger.set(key, value);
    this.#characters += length;
  }

  #bringOver(key: string): Value | undefined {
    const value = this.#older.get(key);
    if (value === undefined) return undefined;
    this.#older.delete(key);
    this.set(key, value);
    return value;
  }
}

/** Bits per generation: a million misses of different keys fill two thirds of them. */
const BITS = 2 ** 20;

/**
 * Which keys were missed before, roughly: one bit for each, in two generations of 128 KB. Two keys of one bit are taken for the same, so that
 * with many keys some are said to have come that have not.
 */
export class MissedBefore {
  private recent = new Uint32Array(BITS / 32);
  private past = new Uint32Array(BITS / 32);

  /** Whether the key was missed before, and from now on it was. */
  add(hash: number): boolean {
    const word = (hash >>> 5) & (BITS / 32 - 1);
    const bit = 1 << (hash & 31);
    const before = (((this.recent[word] ?? 0) | (this.past[word] ?? 0)) & bit) !== 0;
    this.recent[word] = (this.recent[word] ?? 0) | bit;
    return before;
  }

  /** Forgets those that were not missed since the last time. */
  age(): void {
    const { past } = this;
    this.past = this.recent;
    this.recent = past;
    past.fill(0);
  }
}

/** Numbers that look random and are the same in every run (a linear congruential generator). */
export function createRandom(seed: number) {
  let state = seed >>> 0;
  const next = (): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
  const between = (least: number, most: number): number => least + Math.floor(next() * (most - least + 1));
  return {
    /** A whole number, both ends included. */
    between,
    pick<Item>(items: readonly [Item, ...Item[]]): Item {
      return items[between(0, items.length - 1)] ?? items[0];
    },
  };
}

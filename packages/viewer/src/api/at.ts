/** Of an index that is there. */
export function at(list: { readonly [index: number]: number }, index: number): number {
  return list[index] ?? 0;
}

/** A share as people read it: 0.07 is `7 %`, not the 7.000000000000001 that it is times 100. */
export function percent(share: number): string {
  return `${Number((share * 100).toPrecision(6))} %`;
}

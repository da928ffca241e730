/** Where a page ends, whatever there is. */
export interface PageLimit {
  /** Once it has so many, no further series begins. */
  readonly bytes: number;
  /** Told of each family that lost series, and how many. */
  cut(family: { readonly name: string; readonly series: { readonly size: number } }, series: number): void;
}

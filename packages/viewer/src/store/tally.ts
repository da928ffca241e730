/** The rows of one table: their ids are without gaps, as they only go from the front. */
export interface Rows {
  first: number;
  last: number;
  received: number;
  forgotten: number;
  dropped: number;
}

/** What happened since the start. */
export interface Tally {
  readonly span: Rows;
  readonly log: Rows;
  readonly point: Rows;
  /** Texts, and lists of values, that were longer than is kept. */
  cuts: number;
  /** Findings that gave way to newer ones. */
  findingsForgotten: number;
}

export type Table = "span" | "log" | "point";

export function heldOf({ first, last }: Rows): number {
  return last - first + 1;
}

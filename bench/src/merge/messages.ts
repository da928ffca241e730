/** To a process: count one operation in so many of its histograms, 0 to 1, and answer; watch the event loop from now on, or not. */
export interface Asked {
  readonly record: number;
  readonly watch: boolean;
}

/** What it has used, and sent, since it began; the longest turn since it was asked before. */
export interface Told {
  readonly cpuMs: number;
  readonly bytes: number;
  readonly longestMs: number;
}

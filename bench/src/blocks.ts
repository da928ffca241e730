import type { Reading } from "./app-server.js";
import type { Block } from "./results.js";

/** What a server has spent up to a moment. */
export interface Moment extends Reading {
  /** Time in which it was not asked anything, in ms from anywhere: only differences mean something. */
  readonly notBusyMs: number;
}

/** What a server at rest spends between two moments: CPU time in ms per second, which is as many µs per ms. */
export function restRate(begin: Moment, end: Moment): number {
  return (end.cpuUs - begin.cpuUs) / (end.notBusyMs - begin.notBusyMs);
}

/** What each request between one moment and the next cost, without what the server spends at rest anyway. */
export function blocksBetween(
  moments: readonly Moment[],
  requests: number,
  idle: number,
  { variant, server }: Pick<Block, "variant" | "server">,
): Block[] {
  return moments.slice(1).map((end, i) => {
    const begin = moments[i] as Moment;
    return {
      variant,
      server,
      round: i + 1,
      cpuUs: (end.cpuUs - begin.cpuUs - idle * (end.notBusyMs - begin.notBusyMs)) / requests,
      allocatedBytes: (end.allocated - begin.allocated) / requests,
      gcUs: (end.gcUs - begin.gcUs) / requests,
    };
  });
}

const SECOND = 1_000;

/** Runs work and calls `read` once for every second of it, counted over all work: some is shorter than a second, some longer. */
export function onceASecond(read: () => Promise<void>): (work: () => Promise<void>) => Promise<void> {
  let untilNextMs = 0;
  return async (work) => {
    const calls: Promise<void>[] = [];
    let problem: unknown;
    let sinceMs = performance.now();
    const next = (): void => {
      sinceMs = performance.now();
      untilNextMs = SECOND;
      timer = setTimeout(next, untilNextMs);
      calls.push(
        read().catch((error: unknown) => {
          problem ??= error;
        }),
      );
    };
    let timer = setTimeout(next, untilNextMs);
    try {
      await work();
    } finally {
      clearTimeout(timer);
      untilNextMs = Math.max(0, untilNextMs - (performance.now() - sinceMs));
      await Promise.all(calls);
    }
    if (problem !== undefined) throw problem;
  };
}

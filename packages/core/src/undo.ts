/** Takes steps, the last first. One that throws does not keep the others from being taken; the first error is thrown after the last. */
export function undoAll(steps: readonly (() => void)[]): void {
  let failed = false;
  let first: unknown;
  for (const step of steps.toReversed()) {
    try {
      step();
    } catch (error) {
      if (!failed) first = error;
      failed = true;
    }
  }
  if (failed) throw first;
}

import { performance } from "node:perf_hooks";
import { startImmediate } from "./timers.js";

/** How long a piece of work may keep the event loop, in ms. The least that is worth a turn of the loop. */
const MAX_MS = 0.5;
/** The clock costs as much as a small step, so not every step looks at it. */
const STEPS_BETWEEN_LOOKS = 8;

/**
 * Divides work that would hold up the event loop. Between steps of a few microseconds each:
 * `if (slices.over) await slices.rest();`
 */
export class Slices {
  private beganMs = performance.now();
  private steps = 0;

  /** True when it is the others' turn. */
  get over(): boolean {
    return ++this.steps % STEPS_BETWEEN_LOOKS === 0 && performance.now() - this.beganMs > MAX_MS;
  }

  /** Lets everybody else have a turn. */
  async rest(): Promise<void> {
    await new Promise(startImmediate);
    this.beganMs = performance.now();
  }
}

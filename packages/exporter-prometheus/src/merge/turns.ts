import { performance } from "node:perf_hooks";
import { startImmediate } from "@telltale/core";

/** How long what waits may keep the event loop, in ms. */
const MAX_MS = 0.5;

interface Task {
  readonly act: () => void;
  readonly failed: (error: unknown) => void;
}

/** Does one thing after the other, and lets the program have its turns in between: many reports may arrive at once. */
export class Turns {
  private readonly tasks: Task[] = [];
  private running: Promise<void> | undefined;

  /** What `act` throws goes to `failed`. */
  add(act: () => void, failed: (error: unknown) => void): void {
    this.tasks.push({ act, failed });
    this.running ??= this.run();
  }

  /** When nothing waits. */
  async done(): Promise<void> {
    await this.running;
  }

  private async run(): Promise<void> {
    await nextTurn();
    let beganMs = performance.now();
    for (let task = this.tasks.shift(); task !== undefined; task = this.tasks.shift()) {
      try {
        task.act();
      } catch (error) {
        task.failed(error);
      }
      if (performance.now() - beganMs < MAX_MS) continue;
      await nextTurn();
      beganMs = performance.now();
    }
    this.running = undefined;
  }
}

/** The next turn of the event loop. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    startImmediate(resolve);
  });
}

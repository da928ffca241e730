import type { Context } from "@opentelemetry/api";

let enter: ((context: Context) => void) | undefined;

/** How a context is entered without a way back; undefined where it would then outlive the callback that Node runs. */
export function setEnterContext(how: typeof enter): void {
  enter = how;
}

/**
 * Makes a context the active one for the rest of the callback that Node runs: where that ends soon, half of what `context.with` costs, which
 * makes a Map to go in and another one to come back. False where it cannot be done, and nothing has changed.
 */
export function enterContext(context: Context): boolean {
  if (enter === undefined) return false;
  enter(context);
  return true;
}

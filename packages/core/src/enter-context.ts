import { type Context, context } from "@opentelemetry/api";

let enter: ((to: Context) => void) | undefined;

/** How a context is entered without a way back; undefined where it would then outlive the callback that Node runs. */
export function setEnterContext(how: typeof enter): void {
  enter = how;
}

/**
 * Makes a context the active one for the rest of the callback that Node runs, which is to end soon: `context.with` makes a Map to go in and
 * another one to come back. False where that is not to be had; `context.with` is then.
 */
export function enterContext(to: Context): boolean {
  if (enter === undefined) return false;
  enter(to);
  // The app may have put a context manager of its own in place of ours.
  return context.active() === to;
}

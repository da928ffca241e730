import { count } from "./self.js";
import { say, textOf } from "./say.js";

/** Keeps what one part of Telltale throws away from the program it watches. */
export interface Guard {
  /** False once the part has been switched off. */
  readonly on: boolean;
  /**
   * Takes a failure: every one is counted, the first is said in one line, and with the third the part goes off for good. Calls
   * between them that go well change nothing: each failure has a cause in the part that will come back.
   */
  failed(error: unknown): void;
}

/** Takes a step of a part that is on. What it throws goes no further; it takes a closure, so hot paths have a `try` of their own. */
export function attempt(guard: Guard, step: () => void): void {
  if (guard.on) settle(guard, step);
}

/** The same for what ends something: what has begun is ended by a part that is off, too. */
export function settle(guard: Guard, step: () => void): void {
  try {
    step();
  } catch (error) {
    guard.failed(error);
  }
}

/**
 * For what the app calls itself: on anything else than an object of the library, such as a method taken off its object, the call fails without
 * us, too, and is no failure of ours.
 */
export function failedOn(guard: Guard, prototype: object, self: unknown, error: unknown): void {
  if (Object.prototype.isPrototypeOf.call(prototype, self as object)) guard.failed(error);
}

/** A part that fails this often is broken, not unlucky; that others of its calls went well is not counted, which would cost every call. */
const FAILURES_BEFORE_OFF = 3;

/** A guard for one named part; `switchOff` runs once, when the part has failed too often. */
export function createGuard(part: string, switchOff?: () => void): Guard {
  let failures = 0;
  const guard = {
    on: true,
    failed(error: unknown): void {
      count("telltale.instrumentation.errors", "telltale.part", part);
      failures++;
      if (failures === 1) {
        say(
          "error",
          `${part} failed and skipped one call; the app is not affected. Please report this: ${textOf(error)}`,
        );
      }
      if (failures < FAILURES_BEFORE_OFF || !guard.on) return;
      guard.on = false;
      say("error", `${part} failed ${failures} times and is now off; the app is not affected`);
      try {
        switchOff?.();
      } catch {
        // Nothing is left to switch off.
      }
    },
  };
  return guard;
}

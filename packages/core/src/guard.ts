import { count } from "./self.js";
import { say } from "./say.js";

/** Keeps what one part of Telltale throws away from the program it watches. */
export interface Guard {
  /** False once the part has been switched off. */
  readonly on: boolean;
  /** Takes a failure: the first is said in one line, every one is counted, and after three in a row of calls the part goes off. */
  failed(error: unknown): void;
}

/** A part that fails this often is broken, not unlucky. */
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
        const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
        say("error", `${part} failed and skipped one call; the app is not affected. Please report this: ${text}`);
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

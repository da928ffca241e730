import { diag } from "@opentelemetry/api";
import { count, say } from "@telltale/core";

const MAX_SAID = 100;
const said = new Set<string>();

/** What an object of the app's threw ends here: it is counted, and said once for each of those who throw. */
export function noteFailure(
  part: "span processor" | "sampler" | "id generator" | "attributes" | "span" | "span export",
  error: unknown,
  whose: string = part,
): void {
  count("telltale.instrumentation.errors", "telltale.part", part);
  if (said.has(whose) || said.size >= MAX_SAID) return;
  said.add(whose);
  say("error", `the ${whose} failed; the app is not affected: ${textOf(error)}`);
}

/** Tells the API's logger what was wrong with a call; the app may have put a logger there that throws. */
export function complain(level: "warn" | "error", text: string): void {
  try {
    diag[level](text);
  } catch {
    // Without it nobody would have heard, either.
  }
}

/** Anything can be thrown. */
function textOf(error: unknown): string {
  try {
    return error instanceof Error ? nameOf(error.stack ?? error.message) : nameOf(error);
  } catch {
    return typeof error;
  }
}

/** As a text, also what has none: `Object.create(null)`, a revoked proxy. */
export function nameOf(value: unknown): string {
  try {
    return String(value);
  } catch {
    return typeof value;
  }
}

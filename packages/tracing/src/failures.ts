import { count, say } from "@telltale/core";

const MAX_SAID = 100;
const said = new Set<string>();

/** What an object of the app's threw ends here: it is counted, and said once for each of those who throw. */
export function noteFailure(
  part: "span processor" | "sampler" | "id generator" | "attributes" | "span export",
  error: unknown,
  whose: string = part,
): void {
  count("telltale.instrumentation.errors", "telltale.part", part);
  if (said.has(whose) || said.size >= MAX_SAID) return;
  said.add(whose);
  say("error", `the ${whose} failed; the app is not affected: ${textOf(error)}`);
}

/** Anything can be thrown, also what has no text. */
function textOf(error: unknown): string {
  try {
    return error instanceof Error ? String(error.stack ?? error.message) : String(error);
  } catch {
    return typeof error;
  }
}

import { count, say } from "@telltale/core";

/** For what an object of the app's did wrong: counts it for a part of `telltale.instrumentation.errors`, and says the first one. */
export function createLeftOut(part: string, line: string): (error: unknown) => void {
  let isSaid = false;
  return (error) => {
    count("telltale.instrumentation.errors", "telltale.part", part);
    if (isSaid) return;
    isSaid = true;
    say("error", `${line}; the app is not affected: ${error instanceof Error ? error.message : typeof error}`);
  };
}

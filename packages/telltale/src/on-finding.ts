import { addListener, count, type FindingRecord, say } from "@telltale/core";

/**
 * Calls back when something is found for the first time in this process, and while it comes again, once a minute, unless it is accepted;
 * `count` says how often it came. At most 100 times a minute, synchronously: be quick. What it throws, or a promise that it rejects, is dropped and counted, and said
 * the first time. The result ends it.
 */
export function onFinding(callback: (finding: FindingRecord) => unknown): () => void {
  let failed = false;
  function note(error: unknown): void {
    count("telltale.instrumentation.errors", "telltale.part", "onFinding");
    if (failed) return;
    failed = true;
    say("error", `onFinding callback failed: ${error instanceof Error ? error.message : String(error)}`);
  }
  return addListener({
    name: "onFinding",
    findingTold(finding) {
      try {
        const result = callback(finding);
        if (result instanceof Promise) result.catch(note);
      } catch (error) {
        note(error);
      }
    },
  });
}

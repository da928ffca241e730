import { addListener, count, type Finding, say } from "@telltale/core";

/**
 * Calls back for every finding of this process that is not accepted, synchronously: be quick. What it throws is dropped and counted, and said the first time.
 * The result ends it.
 */
export function onFinding(callback: (finding: Finding) => void): () => void {
  let failed = false;
  return addListener({
    name: "onFinding",
    findingMade(finding) {
      if (finding.accepted === true) return;
      try {
        callback(finding);
      } catch (error) {
        count("telltale.instrumentation.errors", "telltale.part", "onFinding");
        if (failed) return;
        failed = true;
        say("error", `onFinding callback failed: ${error instanceof Error ? error.message : String(error)}`);
      }
    },
  });
}

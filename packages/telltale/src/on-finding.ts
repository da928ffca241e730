import { addListener, type Finding, say } from "@telltale/core";

/** Calls back for every finding of this process, synchronously: be quick. What it throws is said and dropped. */
export function onFinding(callback: (finding: Finding) => void): () => void {
  return addListener({
    name: "onFinding",
    findingMade(finding) {
      try {
        callback(finding);
      } catch (error) {
        say("error", `onFinding callback failed: ${error instanceof Error ? error.message : String(error)}`);
      }
    },
  });
}

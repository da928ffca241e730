import { type FindingsReporterOptions, watchTests } from "./new-findings.js";

/** The part of vitest's `Reporter` that it is. */
export interface VitestReporter {
  onTestRunStart(): void;
  onTestRunEnd(): void;
}

/**
 * A reporter for vitest that fails a run in which tests hit on a new N+1. The tests need `@telltale/testkit/vitest` as a setup file, and a
 * Telltale that runs.
 */
export function findingsReporter(options: FindingsReporterOptions = {}): VitestReporter {
  let run = watchTests(options);
  let isOpen = true;
  return {
    onTestRunStart() {
      if (!isOpen) run = watchTests(options);
      isOpen = true;
    },
    onTestRunEnd() {
      isOpen = false;
      if (run.end()) process.exitCode = 1;
    },
  };
}

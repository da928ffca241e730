import type { Reporter, TestCase, TestModule } from "vitest/node";

/** Says at the end how many tests did not run, and why. */
export function createSkippedReporter(print: (line: string) => void = console.log): Reporter {
  return {
    onTestRunEnd(modules) {
      const counts = countSkipped(modules);
      if (counts.size === 0) return;
      const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
      print(`Skipped ${total} ${total === 1 ? "test" : "tests"}:`);
      for (const [reason, count] of counts) print(`  ${count}: ${reason}`);
    },
  };
}

function countSkipped(modules: readonly TestModule[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const module of modules) {
    for (const test of module.children.allTests("skipped")) {
      const reason = findReason(test);
      counts.set(reason, (counts.get(reason) ?? 0) + 1);
    }
  }
  return counts;
}

function findReason(test: TestCase): string {
  for (let suite = test.parent; suite.type === "suite"; suite = suite.parent) {
    const { missing } = suite.meta();
    if (missing !== undefined) return missing;
  }
  const result = test.result();
  return (result.state === "skipped" ? result.note : undefined) ?? "left out by its file or by the filter";
}

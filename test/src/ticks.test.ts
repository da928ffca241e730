import { describe, expect, test } from "vitest";
import { fixture, REGISTER, runProgram } from "./run-program.js";
import { testNodes } from "./servers/index.js";

const nodes = await testNodes();

/** How much dearer a tick is after full collections at rest. */
async function slowdown(node: string, nodeOptions: string[]): Promise<number> {
  const { stdout, code } = await runProgram(fixture("ticks.cjs"), {
    node,
    nodeOptions: ["--expose-gc", ...nodeOptions],
    env: { OTEL_TRACES_EXPORTER: "none", OTEL_METRICS_EXPORTER: "none", TELLTALE_LOG: "silent" },
  });
  expect(code).toBe(0);
  const { before, after } = JSON.parse(stdout) as { before: number; after: number };
  return after / before;
}

describe("full collections at rest", () => {
  test.each(nodes.map(({ version, binary }) => [version, binary] as const))(
    "do not slow process.nextTick down for good on Node %s",
    { retry: 2 },
    async (_, node) => {
      // Where Node alone is no longer slowed, the kept tick can go.
      expect(await slowdown(node, [])).toBeGreaterThan(3);
      expect(await slowdown(node, ["--require", REGISTER])).toBeLessThan(2);
    },
  );
});

import { describe, expect, test } from "vitest";
import { fixture, REGISTER, runProgram } from "./run-program.js";
import { testNodes } from "./servers/index.js";

const nodes = await testNodes();

describe("full collections at rest", () => {
  test.each(nodes.map(({ version, binary }) => [version, binary] as const))(
    "do not slow process.nextTick down for good on Node %s",
    { retry: 2 },
    async (_, node) => {
      const { stdout, code } = await runProgram(fixture("ticks.cjs"), {
        node,
        nodeOptions: ["--expose-gc", "--require", REGISTER],
        env: { OTEL_TRACES_EXPORTER: "none", OTEL_METRICS_EXPORTER: "none", TELLTALE_LOG: "silent" },
      });
      expect(code).toBe(0);
      const { before, after } = JSON.parse(stdout) as { before: number; after: number };
      // Alone it is five to eight.
      expect(after / before).toBeLessThan(2);
    },
  );
});

import { expect, test } from "vitest";
import { sayOnce, setSay } from "../src/say.js";
import { selfCounters } from "../src/self.js";

test("1,000 lines are said once each; what is not said is counted", () => {
  const lines: string[] = [];
  setSay((_, line) => void lines.push(line));
  for (let n = 0; n < 1_010; n++) for (let again = 0; again < 2; again++) sayOnce("error", `line ${n}`);
  expect(lines).toHaveLength(1_000);
  expect([...selfCounters()].find(({ value }) => value === "log.lines")).toMatchObject({
    metric: "telltale.limits.reached",
    total: 20,
  });
});

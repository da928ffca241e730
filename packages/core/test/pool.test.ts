import { expect, test } from "vitest";
import { allPools, readPools, registerPool } from "../src/index.js";

test("pools that have ended leave though nobody reads, and those that live stay", () => {
  const living = Array.from({ length: 300 }, (_, n) =>
    registerPool({ name: `living-${n}`, system: undefined, read: () => ({ used: 1, idle: 0, pending: 0 }) }),
  );
  for (let n = 0; n < 10_000; n++) registerPool({ name: `ended-${n}`, system: undefined, read: () => undefined });
  expect([...allPools()].length).toBeLessThanOrEqual(2 * living.length);
  expect(readPools().map(({ pool }) => pool)).toEqual(living.map(({ pool }) => pool));
  for (const { close } of living) close();
});

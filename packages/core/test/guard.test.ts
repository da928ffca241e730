import { expect, test } from "vitest";
import { attempt, createGuard, settle } from "../src/index.js";

test("a part that is off begins nothing, and ends what it has begun; what either throws goes no further", () => {
  const guard = createGuard("a test of guards");
  const taken: string[] = [];
  for (let n = 1; n <= 3; n++) {
    attempt(guard, () => {
      taken.push(`begin ${n}`);
      throw new Error("expected by the test");
    });
  }
  expect(guard.on).toBe(false);
  attempt(guard, () => void taken.push("begin 4"));
  settle(guard, () => {
    taken.push("end");
    throw new Error("expected by the test");
  });
  expect(taken).toEqual(["begin 1", "begin 2", "begin 3", "end"]);
});

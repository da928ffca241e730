import { expect, test } from "vitest";
import { blocksBetween, type Moment, restRate } from "../src/blocks.js";

const moment = (cpuUs: number, notBusyMs: number, allocated = 0, gcUs = 0): Moment => ({
  cpuUs,
  notBusyMs,
  allocated,
  gcUs,
});

test("the rate at rest is CPU time by time", () => {
  // 15 ms in 10 s.
  expect(restRate(moment(1_000_000, 60_000), moment(1_015_000, 70_000))).toBe(1.5);
});

test("a block is what was spent from one moment to the next, but for the rest in it", () => {
  const moments = [moment(500_000, 100, 1_000, 50), moment(1_400_000, 4_100, 901_000, 9_050), moment(2_000_000, 4_100)];
  const [first, second] = blocksBetween(moments, 9_000, 1.5, { variant: "bare", server: 2 });
  // 900 ms, of which 4 s of rest are 6.
  expect(first).toEqual({ variant: "bare", server: 2, round: 1, cpuUs: 894_000 / 9_000, allocatedBytes: 100, gcUs: 1 });
  expect(second).toMatchObject({ round: 2, cpuUs: 600_000 / 9_000 });
});

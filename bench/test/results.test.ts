import { expect, test } from "vitest";
import { type AfterLoad, type Block, summarize } from "../src/results.js";

function blocks(variant: string, server: number, cpuUs: readonly number[]): Block[] {
  return cpuUs.map((us, i) => ({ round: i + 1, variant, server, cpuUs: us, allocatedBytes: us * 10, gcUs: us / 10 }));
}
const afterLoad = (variant: string, heapAfterGcMb: number): AfterLoad => ({
  variant,
  idleMsPerSecond: heapAfterGcMb / 10,
  spansPerRequest: 2.4,
  rssMb: 100,
  heapAfterGcMb,
});

const result = summarize(
  [
    ...blocks("bare", 0, [90, 200, 100]),
    ...blocks("bare", 1, [110, 200, 120]),
    ...blocks("agent", 2, [150, 280, 165]),
    ...blocks("agent", 3, [190, 360, 275]),
  ],
  [afterLoad("bare", 10), afterLoad("bare", 12), afterLoad("agent", 20)],
  3000,
);

test("a ratio is to the bare blocks of the same round, whatever the machine's speed in another one", () => {
  const { cpuUs, cpuRatio, allocatedRatio } = result.variants["agent"] ?? {};
  expect(cpuUs).toEqual({ median: 232.5, min: 150, max: 360 });
  // Bare is at 100, 200 and 110; one server is at 1.5, 1.4 and 1.5 of it, the other at 1.9, 1.8 and 2.5.
  expect(cpuRatio).toEqual({ median: expect.closeTo(1.7), min: 1.5, max: 1.9 });
  expect(allocatedRatio).toEqual(cpuRatio);
});

test("a round that hit each server once is in no figure of a ratio", () => {
  const hit = summarize(
    [
      ...blocks("bare", 0, [100, 100, 100]),
      ...blocks("agent", 1, [110, 110, 400]),
      ...blocks("agent", 2, [120, 400, 120]),
      ...blocks("agent", 3, [400, 130, 130]),
    ],
    [afterLoad("bare", 10), afterLoad("agent", 10)],
    3000,
  );
  expect(hit.variants["agent"]?.cpuRatio).toEqual({ median: 1.2, min: 1.1, max: 1.3 });
});

test("noise is what the bare servers differ by", () => {
  const { median, min, max } = result.variants["bare"]?.cpuRatio ?? {};
  // 0.9, 1 and 0.91; 1.1, 1 and 1.09.
  expect(median).toBeCloseTo(1);
  expect(min).toBeCloseTo(100 / 110);
  expect(max).toBeCloseTo(120 / 110);
});

test("the rest is the median of a variant's servers", () => {
  expect(result).toMatchObject({ rounds: 3, requestsPerBlock: 3000 });
  expect(result.variants["bare"]).toMatchObject({
    heapAfterGcMb: 11,
    gcShare: expect.closeTo(0.1),
    idleMsPerSecond: 1.1,
  });
  expect(result.variants["agent"]).toMatchObject({ heapAfterGcMb: 20, spansPerRequest: 2.4 });
});

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
    ...blocks("bare", 0, [100, 100, 100]),
    ...blocks("bare", 1, [98, 104, 102]),
    ...blocks("agent", 2, [150, 306, 200]),
    ...blocks("agent", 3, [190]),
  ],
  [afterLoad("bare", 10), afterLoad("bare", 12), afterLoad("agent", 20)],
  3000,
);

test("a ratio is that of the medians; its ends are those of the servers, each by itself", () => {
  const { cpuUs, cpuRatio, allocatedRatio } = result.variants["agent"] ?? {};
  expect(cpuUs).toEqual({ median: 195, min: 150, max: 306 });
  // Bare: 98, 100, 100, 100, 102, 104; the agent's servers are at 200 and 190.
  expect(cpuRatio).toEqual({ median: 1.95, min: 1.9, max: 2 });
  expect(allocatedRatio).toEqual(cpuRatio);
});

test("noise is what the bare servers differ by", () => {
  expect(result.variants["bare"]?.cpuRatio).toEqual({ median: 1, min: 1, max: 1.02 });
});

test("the rest is the median of a variant's servers", () => {
  expect(result).toMatchObject({ rounds: 3, requestsPerBlock: 3000 });
  expect(result.variants["bare"]).toMatchObject({ heapAfterGcMb: 11, gcShare: 0.1, idleMsPerSecond: 1.1 });
  expect(result.variants["agent"]).toMatchObject({ heapAfterGcMb: 20, spansPerRequest: 2.4 });
});

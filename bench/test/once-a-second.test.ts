import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { onceASecond } from "../src/once-a-second.js";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const lasting = (ms: number) => () => new Promise<void>((resolve) => setTimeout(resolve, ms));

test("every second of work is one call, however the work is cut, and no rest between counts", async () => {
  const read = vi.fn(async () => {});
  const during = onceASecond(read);
  const counts: number[] = [];
  for (const ms of [400, 400, 400, 2_100, 50]) {
    const done = during(lasting(ms));
    await vi.advanceTimersByTimeAsync(ms);
    await done;
    await vi.advanceTimersByTimeAsync(5_000);
    counts.push(read.mock.calls.length);
  }
  // At 0, 1, 2 and 3 s of 3.35.
  expect(counts).toEqual([1, 1, 2, 4, 4]);
});

test("a call that fails is told when the work is done", async () => {
  const during = onceASecond(() => Promise.reject(new Error("the page answered 500")));
  const done = during(lasting(100));
  const told = expect(done).rejects.toThrow("the page answered 500");
  await vi.advanceTimersByTimeAsync(100);
  await told;
});

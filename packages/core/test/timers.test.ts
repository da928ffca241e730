import { afterEach, expect, test, vi } from "vitest";
import { Slices, startTimer, stopTimer } from "../src/index.js";

afterEach(() => vi.useRealTimers());

test("timers that the app's tests have replaced are not ours", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setImmediate"] });
  await new Slices().rest();
  await new Promise((resolve) => startTimer(resolve, 1));
  stopTimer(startTimer(() => {}, 1));
  expect(vi.getTimerCount()).toBe(0);
});

import { afterAll, beforeAll, expect, test } from "vitest";
import { sendLoad } from "./send-load.js";
import { startViewerProcess, type ViewerProcess } from "./viewer-process.js";

/** Machines of a CI are slow, and run other tests beside this one: `npm run bench:viewer` holds a quiet one to 200 ms. */
const MAX_PAGE_MS = 200 * 10;

let viewer: ViewerProcess;
beforeAll(async () => {
  viewer = await startViewerProcess();
});
afterAll(() => viewer?.stop());

test("5,000 spans a second for 5 s: none is lost, every page is answered", { timeout: 60_000 }, async () => {
  const report = await sendLoad(viewer, { seconds: 5, spansPerSecond: 5_000 }, viewer);
  expect(report).toMatchObject({ sent: 25_000, received: 25_000, held: 25_000, dropped: 0, refused: {} });
  expect(report.pages.length).toBe(10);
  expect(report.pages.filter(({ p50Ms }) => p50Ms > MAX_PAGE_MS)).toEqual([]);
  expect(Math.max(...report.rssBytes)).toBeLessThan(500 * 1024 ** 2);
});

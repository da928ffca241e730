import { startViewer, type Trace, type Viewer } from "@telltale/viewer";
import { describeWith } from "@telltale/test/describe-with";
import { afterAll, beforeAll, expect, test } from "vitest";
import { HUGE_TRACE_SPANS, hugeTrace } from "./huge-trace.js";
import { TRACES } from "./otlp-json.js";
import { findFaults, settle } from "./pages.js";
import { ask, send } from "./send.js";
import { startBrowser, type TestBrowser, type WatchedPage } from "./start-browser.js";

/** Of what a quiet machine takes; others run tests of their own meanwhile. */
const SLACK = 5;

describeWith(["chromium"], "a trace of 50,000 spans", () => {
  let viewer: Viewer;
  let browser: TestBrowser;
  let watched: WatchedPage;
  beforeAll(async () => {
    [viewer, browser] = await Promise.all([startViewer({ port: 0, otlpPort: 0 }), startBrowser()]);
    for (const post of hugeTrace(Date.now())) expect(await send(viewer.otlpUrl, post)).toMatchObject({ status: 200 });
    watched = await browser.open(viewer.url);
  });
  afterAll(() => Promise.all([viewer?.close(), browser?.close()]));

  test("is read within a second, with a number for what is left out", async () => {
    const before = performance.now();
    const trace = JSON.parse((await ask(viewer.url, `/api/trace/${TRACES.huge}`)).text) as Trace;
    expect(performance.now() - before).toBeLessThan(1000 * SLACK);
    expect(trace.spans.length + trace.leftOut).toBe(HUGE_TRACE_SPANS);
    expect(trace.spans.length).toBeGreaterThanOrEqual(10_000);
  });

  test("shows its first rows within two seconds, and a key or a turn of the wheel is answered at once", async () => {
    const { page } = watched;
    const rows = page.locator("[data-row]");
    const before = performance.now();
    await page.goto(`${viewer.url}/trace/${TRACES.huge}`, { waitUntil: "commit" });
    await rows.first().waitFor();
    expect(performance.now() - before).toBeLessThan(2000 * SLACK);
    await settle(page);
    // Only what can be seen is there.
    expect(await rows.count()).toBeLessThan(500);
    expect(await findFaults(watched)).toEqual([]);

    const keys = 30;
    const pressed = performance.now();
    for (let key = 0; key < keys; key++) await page.keyboard.press("j");
    await page.evaluate("new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))");
    expect((performance.now() - pressed) / keys).toBeLessThan(50 * SLACK);
    expect(await page.locator("[data-row][aria-selected=true], [data-row][aria-current=true]").count()).toBe(1);

    const text = await rows.first().textContent();
    const turned = performance.now();
    await page.mouse.move(600, 500);
    for (let turn = 0; turn < 20; turn++) await page.mouse.wheel(0, 2000);
    await expect.poll(() => rows.first().textContent(), { interval: 10 }).not.toBe(text);
    expect(performance.now() - turned).toBeLessThan(1000 * SLACK);
    expect(await rows.count()).toBeLessThan(500);
    expect(watched.problems).toEqual([]);
  });
});

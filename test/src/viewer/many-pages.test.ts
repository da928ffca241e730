import { describeWith } from "@telltale/test/describe-with";
import { startViewer } from "@telltale/viewer";
import type { Page } from "playwright-core";
import { expect, onTestFinished, test } from "vitest";
import { settle } from "./pages.js";
import { startBrowser } from "./start-browser.js";

// A browser opens six connections to an address, however many pages of it are open.

const PAGES = 8;

describeWith(["chromium"], "many pages in one browser", () => {
  test("those behind another one take no connection, and are up to date again once they are looked at", async () => {
    const viewer = await startViewer({ port: 0, otlpPort: 0 });
    onTestFinished(() => viewer.close());
    const browser = await startBrowser();
    onTestFinished(() => browser.close());
    const watched = await browser.open(viewer.url);
    const context = watched.page.context();
    // Without a screen, no page is ever behind another one.
    await context.addInitScript(
      `let isBehind = false;
       Object.defineProperty(document, "hidden", { get: () => isBehind });
       globalThis.goBehind = (value) => { isBehind = value; document.dispatchEvent(new Event("visibilitychange")); };`,
    );
    const goBehind = (page: Page, isBehind: boolean): Promise<void> => page.evaluate(`goBehind(${isBehind})`);
    const pages: Page[] = [];
    for (let n = 0; n < PAGES; n++) {
      const page = await context.newPage();
      await page.goto(viewer.url, { waitUntil: "domcontentloaded", timeout: 10_000 });
      await settle(page);
      await page.locator('[data-state="live"]').waitFor({ timeout: 10_000 });
      await goBehind(page, true);
      pages.push(page);
    }
    const [first] = pages;
    if (first === undefined) throw new Error("there are pages");
    const again = first.waitForResponse((response) => response.url().includes("/api/now"), { timeout: 10_000 });
    await goBehind(first, false);
    expect((await again).status()).toBe(200);
    await first.locator('[data-state="live"]').waitFor({ timeout: 10_000 });
    expect(watched.problems).toEqual([]);
  });
});

import { startViewer, type Viewer } from "@telltale/viewer";
import { describeWith } from "@telltale/test/describe-with";
import { afterAll, beforeAll, expect, test } from "vitest";
import { TRACES } from "./otlp-json.js";
import { allPages, findFaults, visit } from "./pages.js";
import { startBrowser, type TestBrowser } from "./start-browser.js";

describeWith(["chromium"], "the viewer before anything has come", () => {
  let viewer: Viewer;
  let browser: TestBrowser;
  beforeAll(async () => {
    [viewer, browser] = await Promise.all([startViewer({ port: 0, otlpPort: 0 }), startBrowser()]);
  });
  afterAll(() => Promise.all([viewer?.close(), browser?.close()]));

  test("every page says so, and which command changes it", async () => {
    const watched = await browser.open(viewer.url, { width: 390 });
    for (const { name, path } of allPages({})) {
      await visit(watched, viewer.url, path);
      const main = watched.page.locator("main");
      await expect.poll(() => main.textContent(), { message: name }).toContain("npx telltale dev app.js");
      expect(await main.textContent()).toContain(`OTEL_EXPORTER_OTLP_ENDPOINT=${viewer.otlpUrl}`);
      expect(await findFaults(watched), name).toEqual([]);
      expect(watched.problems, name).toEqual([]);
    }
    expect(browser.offMachine).toEqual([]);
    await watched.close();
  });

  test("links to what is not kept say so, and lead on", async () => {
    const watched = await browser.open(viewer.url);
    const gone = allPages({ trace: TRACES.texts, other: TRACES.shapes, fingerprint: "gone", metric: "gone" });
    for (const { name, path } of [
      ...gone.filter(({ path }) => path.split("/").length > 2),
      { name: "none", path: "/none" },
    ]) {
      await visit(watched, viewer.url, path);
      await expect
        .poll(() => watched.page.locator("main .problem, main .empty").count(), { message: name })
        .toBeGreaterThan(0);
      expect(await findFaults(watched), name).toEqual([]);
      // The browser itself notes the 404 of the API, and nothing else is there.
      const others = watched.problems.filter(
        (problem) => !/status of 404 .*\/api\/(trace|query|metric)\//.test(problem),
      );
      expect(others, name).toEqual([]);
      watched.forget();
    }
    await watched.close();
  });
});

import { startViewer, type Viewer } from "@telltale/viewer";
import { afterAll, afterEach, beforeAll, beforeEach, expect } from "vitest";
import { startBrowser, type TestBrowser, type WatchedPage } from "./start-browser.js";

/** Those of the test that runs. */
export interface Here {
  viewer: Viewer;
  watched: WatchedPage;
}

/** For each test of a suite a viewer of its own, and a page of it in one browser; whatever went wrong on the page fails the test. */
export function watchPages(): Here {
  const here = {} as Here;
  let browser: TestBrowser;
  beforeAll(async () => {
    browser = await startBrowser();
  });
  afterAll(() => browser?.close());
  beforeEach(async () => {
    here.viewer = await startViewer({ port: 0, otlpPort: 0 });
    here.watched = await browser.open(here.viewer.url);
  });
  afterEach(async () => {
    expect(here.watched.problems).toEqual([]);
    await here.watched.close();
    await here.viewer.close();
  });
  return here;
}

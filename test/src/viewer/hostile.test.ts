import { type Queries, startViewer, type Viewer } from "@telltale/viewer";
import { describeWith } from "@telltale/test/describe-with";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { brokenPosts } from "./hostile-posts.js";
import { hostileShapes } from "./hostile-shapes.js";
import { HOSTILE_METRIC, hostileTexts } from "./hostile-texts.js";
import { TRACES } from "./otlp-json.js";
import { allPages, findFaults, settle, visit } from "./pages.js";
import { ask, type Post, send } from "./send.js";
import { startBrowser, type TestBrowser } from "./start-browser.js";

let viewer: Viewer;
const answers: { what: string; status: number; text: string }[] = [];

beforeAll(async () => {
  viewer = await startViewer({ port: 0, otlpPort: 0 });
  const nowMs = Date.now();
  const posts: Post[] = [...brokenPosts(), ...hostileShapes(nowMs), ...hostileTexts(nowMs)];
  for (const post of posts) {
    const { status, text } = await send(viewer.otlpUrl, post);
    answers.push({ what: post.what, status, text });
  }
});
afterAll(() => viewer?.close());

const read = async (path: string): Promise<unknown> => {
  const { status, text } = await ask(viewer.url, path);
  expect({ path, status }).toEqual({ path, status: 200 });
  return JSON.parse(text);
};

describe("hostile telemetry", () => {
  test("is taken or refused, and never fails the viewer", () => {
    const failed = answers.filter(({ status }) => status < 200 || status >= 500 || (status >= 300 && status < 400));
    expect(failed).toEqual([]);
    // What is told of well formed things is taken, whatever it says.
    for (const what of [
      "hostile texts in spans",
      "hostile texts in logs",
      "hostile texts in metrics",
      "shapes",
      "times",
    ])
      expect(answers.find((answer) => answer.what === what)?.status, what).toBe(200);
    for (const what of ["noise", "a bomb of gzip", "no JSON", "a type nobody knows", "a length beyond the end"])
      expect(answers.find((answer) => answer.what === what)?.status, what).toBeGreaterThanOrEqual(400);
    expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
  });

  test("is answered for by every part of the API", async () => {
    const queries = (await read("/api/queries?minutes=15")) as Queries;
    expect(queries.queries.some(({ text }) => text?.includes("query text ends") === true)).toBe(true);
    for (const name of ["now", "requests", "caches", "pools", "findings", "metrics", "status"])
      await read(`/api/${name}`);
    for (const name of ["texts", "shapes", "times", "large"] as const) await read(`/api/trace/${TRACES[name]}`);
    for (const { fingerprint } of queries.queries) await read(`/api/query/${encodeURIComponent(fingerprint)}`);
  });
});

/** What of it each page shows, to begin with. */
const SHOWN: Readonly<Record<string, string>> = {
  now: "route",
  requests: "route",
  trace: "span name 1",
  queries: "db.query.summary",
  caches: "cache name",
  pools: "pool name",
  findings: "finding title n_plus_one",
  metrics: "metric name",
};

describeWith(["chromium"], "every page on hostile telemetry", () => {
  let browser: TestBrowser;
  beforeAll(async () => {
    browser = await startBrowser();
  });
  afterAll(() => browser?.close());

  test(
    "shows it as text: nothing runs, nothing is asked of others, nothing breaks the page",
    { timeout: 120_000 },
    async () => {
      const { queries } = (await read("/api/queries?minutes=15")) as Queries;
      const hostile = queries.find(({ text }) => text?.includes("query text ends") === true);
      const pages = [
        ...allPages({
          trace: TRACES.texts,
          other: TRACES.shapes,
          fingerprint: hostile?.fingerprint ?? "",
          metric: HOSTILE_METRIC.replaceAll(/[\uD800-\uDFFF]/gu, "\uFFFD"),
        }),
        ...(["shapes", "times", "large"] as const).map((name) => ({ name, path: `/trace/${TRACES[name]}` })),
      ];
      const watched = await browser.open(viewer.url);
      const wrong: Record<string, readonly string[]> = {};
      for (const { name, path } of pages) {
        await visit(watched, viewer.url, path);
        const text = SHOWN[name];
        const main = watched.page.locator("main");
        if (text !== undefined)
          await expect.poll(() => main.textContent(), { message: name }).toContain(`${text} <script data-hostile>`);
        for (const width of [1280, 390]) {
          await watched.page.setViewportSize({ width, height: 800 });
          const faults = [...(await findFaults(watched)), ...watched.problems];
          if (faults.length > 0) wrong[`${name} at ${width}`] = faults;
          watched.forget();
        }
        // All that opens is opened, and each row is looked at.
        await watched.page.keyboard.press("j");
        await watched.page.keyboard.press("Enter");
        await settle(watched.page);
        const faults = [...(await findFaults(watched)), ...watched.problems];
        if (faults.length > 0) wrong[`${name}, opened`] = faults;
        watched.forget();
      }
      expect(wrong).toEqual({});
      expect(browser.offMachine).toEqual([]);
    },
  );
});

import type { OtlpReceiver } from "@telltale/testkit";
import { startOtlpReceiver } from "@telltale/testkit";
import { type Findings, type Queries, type Requests, startViewer, type Viewer } from "@telltale/viewer";
import { describeWith } from "@telltale/test/describe-with";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { allPages, findFaults, settle, visit } from "./pages.js";
import { ask } from "./send.js";
import { startBrowser, type TestBrowser, type WatchedPage } from "./start-browser.js";
import { startShop, VISITS, visitShop, type WatchedShop } from "./start-shop.js";
import { startTee } from "./tee.js";

const RESULTS = VISITS.flatMap(({ route, paths, status, queries }) => paths.map(() => ({ route, status, queries })));
const countBy = <T>(list: readonly T[], key: (one: T) => string): Record<string, number> =>
  Object.fromEntries(Object.entries(Object.groupBy(list, key)).map(([name, found]) => [name, found?.length ?? 0]));

describeWith(["chromium", "postgres", "redis-server"], "the shop in the viewer", () => {
  const running = new AsyncDisposableStack();
  let viewer: Viewer;
  let receiver: OtlpReceiver;
  let shop: WatchedShop;
  let browser: TestBrowser;
  let watched: WatchedPage;
  let redis: { hits: number; misses: number };

  beforeAll(async () => {
    viewer = running.adopt(await startViewer({ port: 0, otlpPort: 0 }), (one) => one.close());
    receiver = running.adopt(await startOtlpReceiver(), (one) => one.close());
    const tee = running.adopt(await startTee([viewer.otlpUrl, receiver.url]), (one) => one.close());
    [shop, browser] = await Promise.all([startShop(tee.url), startBrowser()]);
    running.defer(() => shop.stop());
    running.defer(() => browser.close());
    expect(await visitShop(shop.url)).toEqual([]);
    redis = await shop.redisLookups();
    await shop.end();
    watched = await browser.open(viewer.url);
  });
  beforeEach(() => watched.forget());
  afterAll(() => running.disposeAsync());

  const read = async <T>(path: string): Promise<T> => JSON.parse((await ask(viewer.url, path)).text) as T;
  const rows = async (selector: string): Promise<string[][]> => {
    await watched.page.locator(selector).first().waitFor();
    return watched.page
      .locator(selector)
      .evaluateAll((found) =>
        found.map((row) => [...row.children].map((cell) => (cell.textContent ?? "").replaceAll(/\s+/g, " ").trim())),
      );
  };

  /** The worst of each kind are shown, and the others on demand. */
  const showAll = async (): Promise<void> => {
    const more = watched.page.getByRole("button", { name: /^Show \d+ more$/ });
    while ((await more.count()) > 0) await more.first().click();
  };

  test("Now has as many requests of each route as were sent, and as the testkit has", async () => {
    const sent = countBy(RESULTS, ({ route }) => route);
    const served = receiver.spans.filter(({ kind }) => kind === "server");
    expect(countBy(served, ({ name }) => name)).toEqual(sent);

    await visit(watched, viewer.url, "/");
    const shown = await rows("table.routes tbody tr");
    expect(Object.fromEntries(shown.map(([route = "", requests]) => [route, Number(requests)]))).toEqual(sent);
    expect(watched.problems).toEqual([]);
  });

  test("Requests says of each what its code does: queries, and what Redis had", async () => {
    await visit(watched, viewer.url, "/requests");
    const shown = await rows("ol.requests li a");
    const told = shown.map((cells) => {
      const line = cells.join(" ");
      const route = RESULTS.find((one) => line.includes(`${one.route} `))?.route ?? line;
      const number = (pattern: RegExp): number => Number(pattern.exec(line)?.[1] ?? 0);
      return {
        route,
        status: number(/ (\d{3}) (?:GET|POST) /),
        queries: number(/ (\d+) quer(?:y|ies) /),
        hits: number(/ (\d+) hits? /),
        misses: number(/ (\d+) miss(?:es)? /),
      };
    });
    const key = ({ route, status, queries }: (typeof RESULTS)[number]): string =>
      `${route} ${status}: ${queries} queries`;
    expect(countBy(told, key)).toEqual(countBy(RESULTS, key));
    const sum = (name: "hits" | "misses"): number => told.reduce((all, one) => all + one[name], 0);
    expect({ hits: sum("hits"), misses: sum("misses") }).toEqual(redis);
    expect(redis).toEqual({ hits: 30, misses: 12 });
    expect(watched.problems).toEqual([]);
  });

  test("Requests can be narrowed down, and the address keeps it", async () => {
    const { page } = watched;
    for (const [query, count] of [
      ["status=404", 2],
      ["route=GET%20/report&slower=400", 12],
      ["finding=n_plus_one", 6],
      ["text=search-indexed", 4],
    ] as const) {
      await visit(watched, viewer.url, `/requests?${query}`);
      await expect.poll(() => page.locator("ol.requests li").count(), { message: query }).toBe(count);
      await page.reload();
      await settle(page);
      await expect.poll(() => page.locator("ol.requests li").count(), { message: query }).toBe(count);
    }
    expect(watched.problems).toEqual([]);
  });

  test("Queries has every call, as often as the testkit", async () => {
    const spans = receiver.spans.filter(({ attributes }) => attributes["db.system.name"] === "postgresql");
    const calls = countBy(spans, ({ attributes }) =>
      String(attributes["db.query.text"] ?? attributes["db.query.summary"]),
    );
    expect(calls[Object.keys(calls).find((text) => text.includes("WHERE order_id = $1")) ?? ""]).toBe(6 * 25);
    const { queries } = await read<Queries>("/api/queries?minutes=15");
    const told = queries.filter(({ system }) => system === "postgresql");
    expect(Object.fromEntries(told.map((query) => [query.text ?? query.summary, query.calls]))).toEqual(calls);

    await visit(watched, viewer.url, "/queries?sort=calls");
    const shown = await rows("table.data-table tbody tr");
    expect(shown.map((cells) => Number((cells[2] ?? "").replaceAll(",", ""))).sort()).toEqual(
      queries.map((query) => query.calls).sort(),
    );
    expect(watched.problems).toEqual([]);
  });

  test("Caches has the hits and misses that Redis counted", async () => {
    await visit(watched, viewer.url, "/caches");
    const shown = await rows("table.data-table tbody tr");
    const product = shown.find(([name]) => name?.startsWith("product"));
    expect(product?.[3]).toBe(String(redis.hits + redis.misses));
    expect(product?.[4]).toBe(String(redis.misses));
    expect(product?.[2]).toContain(`${Math.round((100 * redis.hits) / (redis.hits + redis.misses))} %`);
    expect(watched.problems).toEqual([]);
  });

  test("Pools has the limit of the app's pool, and those who waited", async () => {
    await visit(watched, viewer.url, "/pools");
    const waits = receiver.points.findLast(({ metric }) => metric === "db.client.connection.wait_time");
    expect(waits?.count).toBeGreaterThan(0);
    const text = (await watched.page.locator("main").textContent()) ?? "";
    expect(text).toContain("GET /report");
    const { pools } = await read<{ pools: { limit: number; waits: { count: number; maxMs: number } }[] }>(
      "/api/pools?minutes=15",
    );
    expect(pools).toHaveLength(1);
    expect(pools[0]).toMatchObject({ limit: 5, waits: { count: waits?.count } });
    // Twelve readers in turns of five: the last wait for two of them.
    expect(pools[0]?.waits.maxMs).toBeGreaterThan(400);
    expect(watched.problems).toEqual([]);
  });

  test("Findings has those that Telltale counted, no others", async () => {
    const countByKind = (counts: Iterable<readonly [kind: string, count: number]>) => {
      const sums: Record<string, number> = {};
      for (const [kind, count] of counts) sums[kind] = (sums[kind] ?? 0) + count;
      return sums;
    };
    const counted = () => {
      const bySeries = new Map<string, readonly [string, number]>();
      for (const { metric, attributes, value } of receiver.points)
        if (metric === "telltale.findings")
          bySeries.set(JSON.stringify(attributes), [String(attributes["telltale.finding.kind"]), value]);
      return countByKind(bySeries.values());
    };
    expect(counted()).toMatchObject({ n_plus_one: 6 });
    await expect
      .poll(async () => {
        const { findings } = await read<Findings>("/api/findings");
        return countByKind(findings.map(({ kind, count }) => [kind, count]));
      })
      .toEqual(counted());
    const { findings } = await read<Findings>("/api/findings");
    const repeats = findings.find(({ kind }) => kind === "n_plus_one");
    expect(repeats).toMatchObject({ endpoint: "GET /orders", evidence: { calls: 25 } });

    await visit(watched, viewer.url, "/findings");
    await showAll();
    const titles = await watched.page.locator("article.finding h3").allTextContents();
    expect(titles.toSorted()).toEqual(findings.map(({ title }) => title).toSorted());
    expect(watched.problems).toEqual([]);
  });

  test("a finding that is muted is gone, until it is heard again", async () => {
    const { page } = watched;
    await visit(watched, viewer.url, "/findings");
    const count = async (): Promise<number> => {
      await showAll();
      return page.locator("article.finding").count();
    };
    const before = await count();
    await page.getByRole("button", { name: "Mute", exact: true }).first().click();
    await expect.poll(count).toBe(before - 1);
    await page.reload();
    await settle(page);
    expect(await count()).toBe(before - 1);
    await page.getByLabel(/muted ones too/).check();
    await page.getByRole("button", { name: "Unmute", exact: true }).first().click();
    await page.getByLabel(/muted ones too/).uncheck();
    await expect.poll(count).toBe(before);
    expect(watched.problems).toEqual([]);
  });

  test("Trace draws the repeats as one, and opens them", async () => {
    const { requests } = await read<Requests>(`/api/requests?route=${encodeURIComponent("GET /orders")}`);
    const [first] = requests;
    const spans = receiver.spans.filter(({ traceId }) => traceId === first?.traceId);
    expect(first?.did).toMatchObject({ spans: spans.length - 1, queries: 26 });
    await visit(watched, viewer.url, `/trace/${first?.traceId}`);
    await expect.poll(() => watched.page.locator("main").textContent()).toMatch(/25\s*×/);
    expect(watched.problems).toEqual([]);
  });

  test(
    "every page is whole at 1280 and 390 px, light and dark, and asks nobody else",
    { timeout: 120_000 },
    async () => {
      const [orders, other] = (await read<Requests>(`/api/requests?route=${encodeURIComponent("GET /orders")}`))
        .requests;
      const { queries } = await read<Queries>("/api/queries");
      const pages = allPages({
        trace: orders?.traceId ?? "",
        other: other?.traceId ?? "",
        fingerprint: queries[0]?.fingerprint ?? "",
        metric: "http.server.request.duration",
      });
      expect(pages).toHaveLength(11);
      const wrong: Record<string, readonly string[]> = {};
      for (const { name, path } of pages) {
        await visit(watched, viewer.url, path);
        for (const [width, colorScheme] of [
          [1280, "light"],
          [390, "light"],
          [390, "dark"],
          [1280, "dark"],
        ] as const) {
          await watched.page.emulateMedia({ colorScheme });
          await watched.page.setViewportSize({ width, height: 800 });
          const faults = [...(await findFaults(watched)), ...watched.problems];
          if (faults.length > 0) wrong[`${name} at ${width}, ${colorScheme}`] = faults;
          watched.forget();
        }
      }
      expect(wrong).toEqual({});
      expect(browser.offMachine).toEqual([]);
    },
  );

  test("keys go down and up the list, open, search, help, and to the other pages", async () => {
    const { page } = watched;
    await visit(watched, viewer.url, "/requests");
    const chosen = page.locator("ol.requests li[aria-current=true]");
    await page.keyboard.press("j");
    await page.keyboard.press("j");
    const all = page.locator("ol.requests li");
    expect(await chosen.getAttribute("data-row")).toBe(await all.nth(1).getAttribute("data-row"));
    await page.keyboard.press("k");
    expect(await chosen.getAttribute("data-row")).toBe(await all.nth(0).getAttribute("data-row"));
    await page.keyboard.press("?");
    await page.getByRole("dialog").waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
    await page.keyboard.press("/");
    await page.keyboard.type("orders-batched");
    await expect.poll(() => all.count()).toBe(5);
    await page.keyboard.press("Escape");
    await page.keyboard.press("j");
    await page.keyboard.press("Enter");
    await expect.poll(() => new URL(page.url()).pathname).toMatch(/^\/trace\/[\da-f]{32}$/);
    for (const [key, path] of Object.entries({
      n: "/",
      r: "/requests",
      q: "/queries",
      c: "/caches",
      p: "/pools",
      f: "/findings",
      m: "/metrics",
    })) {
      await page.keyboard.press("g");
      await page.keyboard.press(key);
      await expect.poll(() => new URL(page.url()).pathname).toBe(path);
      await settle(page);
    }
    expect(watched.problems).toEqual([]);
  });
});

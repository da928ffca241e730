import { startViewer, type Viewer } from "@telltale/viewer";
import { describeWith } from "@telltale/test/describe-with";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { attributes, type Json, ns, spanId } from "./otlp-json.js";
import { settle, visit } from "./pages.js";
import { json, send } from "./send.js";
import { startBrowser, type TestBrowser, type WatchedPage } from "./start-browser.js";

const LOOP = "b1".repeat(16);
const JOIN = "b2".repeat(16);
const QUERY = "SELECT * FROM items WHERE order_id = ?";

/**
 * GET /orders         0 ────────────────── 100
 *   SELECT orders      2 ─ 12
 *   5 × SELECT items     20 ── 30 ── … ── 70, the third fails
 *   check                              80 ── 90
 *     POST                               81 ─ 89
 */
function makeTrace(traceId: string, startMs: number, loops: number): Json[] {
  const span = (id: number, parent: number, name: string, from: number, to: number, more: Json = {}): Json => ({
    traceId,
    spanId: spanId(id),
    ...(parent > 0 && { parentSpanId: spanId(parent) }),
    name,
    kind: 3,
    startTimeUnixNano: ns(startMs + from),
    endTimeUnixNano: ns(startMs + to),
    ...more,
  });
  const query = (summary: string, text: string): Json => ({
    attributes: attributes({ "db.system.name": "postgresql", "db.query.summary": summary, "db.query.text": text }),
  });
  const route = attributes({ "http.request.method": "GET", "http.route": "/orders", "http.response.status_code": 200 });
  return [
    span(1, 0, "GET /orders", 0, 100, { kind: 2, attributes: route }),
    span(2, 1, "SELECT orders", 2, 12, query("SELECT orders", "SELECT * FROM orders")),
    ...Array.from({ length: loops }, (_, turn) =>
      span(10 + turn, 1, "SELECT items", 20 + turn * 10, 30 + turn * 10, {
        ...query("SELECT items", QUERY),
        ...(turn === 2 && { status: { code: 2, message: "canceled" } }),
      }),
    ),
    span(3, 1, "check", 80, 90, { kind: 1 }),
    span(4, 3, "POST", 81, 89),
  ];
}

describeWith(["chromium"], "the page of a trace", () => {
  let viewer: Viewer;
  let browser: TestBrowser;
  let watched: WatchedPage;
  beforeAll(async () => {
    [viewer, browser] = await Promise.all([startViewer({ port: 0, otlpPort: 0 }), startBrowser()]);
    const startMs = Date.now() - 60_000;
    const resource = { attributes: attributes({ "service.name": "shop" }) };
    const spans = [...makeTrace(LOOP, startMs, 5), ...makeTrace(JOIN, startMs + 1000, 0)];
    const log = {
      timeUnixNano: ns(startMs + 45),
      traceId: LOOP,
      spanId: spanId(12),
      severityText: "WARN",
      body: { stringValue: "gave up" },
    };
    for (const post of [
      json("/v1/traces", "two traces of a route", { resourceSpans: [{ resource, scopeSpans: [{ spans }] }] }),
      json("/v1/logs", "a log", { resourceLogs: [{ resource, scopeLogs: [{ logRecords: [log] }] }] }),
    ])
      expect(await send(viewer.otlpUrl, post)).toMatchObject({ status: 200 });
    watched = await browser.open(viewer.url);
  });
  afterAll(() => Promise.all([viewer?.close(), browser?.close()]));
  beforeEach(() => visit(watched, viewer.url, `/trace/${LOOP}`));

  const press = async (...keys: readonly string[]): Promise<void> => {
    for (const key of keys) await watched.page.keyboard.press(key);
  };
  const names = (): Promise<string[]> =>
    watched.page
      .locator(".wf [data-row] .wf-text")
      .evaluateAll((found) => found.map((one) => (one.textContent ?? "").trim()));
  const chosen = async (): Promise<string | null> => {
    const row = watched.page.locator(".wf [aria-selected=true]");
    return (await row.count()) === 0 ? null : row.locator(".wf-text").textContent();
  };
  const details = () => watched.page.locator("aside.span-details");

  test("what is alike is one line, which opens and closes by keys", async () => {
    const closed = ["GET /orders", "SELECT orders", "5 × SELECT items", "check", "POST"];
    expect(await names()).toEqual(closed);
    await press("j", "j", "j", "l");
    await expect.poll(names).toEqual([...closed.slice(0, 3), ...Array(5).fill("SELECT items"), ...closed.slice(3)]);
    await press("l", "h");
    await expect.poll(chosen).toBe("5 × SELECT items");
    await press("h", "h", "h");
    await expect.poll(names).toEqual(["GET /orders"]);
  });

  test("details of the chosen span: its times, its query, its log; Escape leads back", async () => {
    await visit(watched, viewer.url, `/trace/${LOOP}?span=${spanId(12)}`);
    await expect.poll(() => details().textContent()).toContain("10.0 ms");
    const text = (await details().textContent()) ?? "";
    for (const part of ["40.0 ms", "canceled", "✕ error", "db.query.text", QUERY, "gave up"])
      expect(text).toContain(part);
    expect(await watched.page.locator(".wf [aria-selected=true] .wf-mark[data-is=log]").count()).toBe(1);
    await press("Enter");
    await expect.poll(() => watched.page.evaluate("document.activeElement.tagName")).toBe("H2");
    await press("Escape", "Escape");
    await expect.poll(() => details().count()).toBe(0);
  });

  test("the address follows the chosen span", async () => {
    await press("j", "j");
    await expect.poll(() => new URL(watched.page.url()).searchParams.get("span")).toBe(spanId(2));
  });

  test("searching goes from match to match, and into groups", async () => {
    await press("/");
    await watched.page.keyboard.type("CANCELED");
    await press("Enter");
    await expect.poll(() => new URL(watched.page.url()).searchParams.get("span")).toBe(spanId(12));
    expect(await names()).toHaveLength(10);
    await press("/");
    await watched.page.keyboard.type("items");
    await press("Enter", "n", "n");
    await expect.poll(() => new URL(watched.page.url()).searchParams.get("span")).toBe(spanId(10));
    await press("N");
    await expect.poll(() => new URL(watched.page.url()).searchParams.get("span")).toBe(spanId(14));
  });

  test("dragging over the time shows a part of it, 0 the whole", async () => {
    const ticks = (): Promise<string[]> => watched.page.locator(".wf-tick").allTextContents();
    const whole = await ticks();
    expect([whole[0], whole.at(-1)]).toEqual(["0", "100 ms"]);
    const axis = await watched.page.locator(".wf-head .wf-time").boundingBox();
    if (!axis) throw new Error("no axis");
    await watched.page.mouse.move(axis.x + axis.width * 0.2, axis.y + 40);
    await watched.page.mouse.down();
    await watched.page.mouse.move(axis.x + axis.width * 0.7, axis.y + 60, { steps: 4 });
    await watched.page.mouse.up();
    await expect.poll(async () => (await ticks()).map((text) => Number.parseFloat(text) >= 20)).not.toContain(false);
    expect(Number.parseFloat((await ticks()).at(-1) ?? "")).toBeLessThanOrEqual(70);
    expect(await chosen()).toBeNull();
    await press("0");
    await expect.poll(ticks).toEqual(whole);
  });

  test("another trace of the route is compared with: what it does more, and what that takes", async () => {
    await watched.page.selectOption("select[aria-label^=Compare]", JOIN);
    await expect.poll(() => new URL(watched.page.url()).pathname).toBe(`/trace/${LOOP}/compare/${JOIN}`);
    await settle(watched.page);
    const reasons = watched.page.locator(".compare-reasons li");
    await reasons.first().waitFor();
    // Five queries of 10 ms each, which the request itself is no longer at work in.
    expect(await reasons.first().textContent()).toMatch(/50\.0 ms\s*(SELECT items: \+ new|GET \/orders)/);
    const row = watched.page.locator(".cmp [role=row]", { hasText: "SELECT items" });
    expect(await row.textContent()).toContain("5 × 10.0 ms");
    await row.locator("a").click();
    await expect.poll(() => new URL(watched.page.url()).searchParams.get("span")).toBe(spanId(10));
    expect(watched.problems).toEqual([]);
  });
});

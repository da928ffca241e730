import { describeWith } from "@telltale/test/describe-with";
import { expect, test } from "vitest";
import { attributes, type Json, ns, spanId } from "./otlp-json.js";
import { settle, visit } from "./pages.js";
import { json, send } from "./send.js";
import { watchPages } from "./watch-pages.js";

describeWith(["chromium"], "charts, and what queries cost", () => {
  const here = watchPages();

  const resource = { attributes: attributes({ "service.name": "shop" }) };
  const sendMetric = async (metric: Json): Promise<void> => {
    const body = { resourceMetrics: [{ resource, scopeMetrics: [{ metrics: [metric] }] }] };
    expect((await send(here.viewer.otlpUrl, json("/v1/metrics", "a metric", body))).status).toBe(200);
  };
  const sendSpans = async (spans: readonly Json[]): Promise<void> => {
    const body = { resourceSpans: [{ resource, scopeSpans: [{ spans }] }] };
    expect((await send(here.viewer.otlpUrl, json("/v1/traces", "spans", body))).status).toBe(200);
  };
  const sendLengths = (timeMs: number, lengths: Readonly<Record<string, number>>): Promise<void> =>
    sendMetric({
      name: "queue.length",
      unit: "{job}",
      gauge: {
        dataPoints: Object.entries(lengths).map(([queue, length]) => ({
          timeUnixNano: ns(timeMs),
          asInt: String(length),
          attributes: attributes({ queue }),
        })),
      },
    });

  test("the legend and the crosshair tell the numbers, and new ones are drawn into the same chart", async () => {
    const { page } = here.watched;
    const earlierMs = Date.now() - 20_000;
    await sendLengths(earlierMs, { mail: 7, print: 3 });
    await visit(here.watched, here.viewer.url, "/metrics/queue.length?by=queue&minutes=5");
    const line = (name: string) => page.locator(".chart-legend button", { hasText: name });
    const valueOf = (name: string) => line(name).locator(".chart-value").textContent();
    await expect.poll(() => valueOf("mail")).toBe("7");
    expect(await valueOf("print")).toBe("3");
    const canvas = await page.locator(".chart canvas").elementHandle();

    await sendLengths(Date.now(), { mail: 9, print: 4 });
    // Pages ask again at most every 2 s.
    await expect.poll(() => valueOf("mail"), { timeout: 5000 }).toBe("9");
    expect(await canvas?.evaluate((element) => element.isConnected)).toBe(true);

    // Steps of 5 s: from the last one back to where there is nothing yet, and on to the first.
    await page.locator(".chart-plot").focus();
    for (let step = 0; step < 40 && (await valueOf("mail")) !== "–"; step++) await page.keyboard.press("ArrowLeft");
    await page.keyboard.press("ArrowRight");
    expect([await valueOf("mail"), await valueOf("print")]).toEqual(["7", "3"]);
    const stepMs = Math.floor(earlierMs / 5000) * 5000;
    expect(await page.locator(".chart-time").textContent()).toBe(new Date(stepMs).toISOString().slice(11, 19));
    await page.keyboard.press("Escape");
    await expect.poll(() => valueOf("mail")).toBe("9");

    await line("print").click();
    expect(await line("print").getAttribute("aria-pressed")).toBe("false");
    const picture = () => page.evaluate("document.querySelector('.chart canvas').toDataURL()");
    await page.mouse.move(0, 0);
    const light = await picture();
    await page.emulateMedia({ colorScheme: "dark" });
    await expect.poll(picture).not.toBe(light);
    await page.setViewportSize({ width: 390, height: 800 });
    await expect.poll(() => canvas?.evaluate((element) => element.getBoundingClientRect().width)).toBeLessThan(390);
    expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(390);
  });

  test("an exemplar leads to its trace, as long as that is kept", async () => {
    const { page } = here.watched;
    const nowMs = Date.now();
    const traceId = "c".repeat(32);
    await sendSpans([
      {
        traceId,
        spanId: spanId(1),
        name: "GET /slow",
        kind: 2,
        startTimeUnixNano: ns(nowMs - 500),
        endTimeUnixNano: ns(nowMs),
      },
    ]);
    const point = (timeMs: number, count: number): Json => ({
      startTimeUnixNano: ns(nowMs - 120_000),
      timeUnixNano: ns(timeMs),
      count: String(count),
      sum: count / 2,
      explicitBounds: [0.1, 1],
      bucketCounts: ["0", String(count), "0"],
      exemplars: [traceId, "d".repeat(32)].map((trace) => ({
        timeUnixNano: ns(timeMs),
        asDouble: 0.5,
        traceId: trace,
        spanId: spanId(1),
      })),
    });
    await sendMetric({
      name: "request.duration",
      unit: "s",
      histogram: { aggregationTemporality: 2, dataPoints: [point(nowMs - 60_000, 1), point(nowMs - 30_000, 3)] },
    });
    await visit(here.watched, here.viewer.url, "/metrics/request.duration?minutes=5");
    await page.locator("a.chart-point").first().waitFor();
    expect(await page.locator("span.chart-point").count()).toBe(await page.locator("a.chart-point").count());
    expect(await page.locator("a.chart-point").first().getAttribute("aria-label")).toContain("500 ms");
    await page.locator("a.chart-point").first().click();
    await settle(page);
    expect(new URL(page.url()).pathname).toBe(`/trace/${traceId}`);
  });

  test("queries are told by what they cost, sorted and filtered in the address, and opened with keys", async () => {
    const { page } = here.watched;
    const atMs = Date.now() - 30_000;
    const spans = (text: string, calls: number, ms: number): Json[] =>
      Array.from({ length: calls }, (_, call) => ({
        traceId: "e".repeat(32),
        spanId: spanId(ms * 1000 + call),
        name: text,
        kind: 3,
        startTimeUnixNano: ns(atMs),
        endTimeUnixNano: ns(atMs + ms),
        attributes: attributes({ "db.system.name": "postgresql", "db.query.text": text, "db.query.summary": text }),
      }));
    // 60, 30 and 10 ms of 100.
    await sendSpans([...spans("SELECT few", 1, 60), ...spans("SELECT some", 2, 15), ...spans("SELECT many", 10, 1)]);
    await visit(here.watched, here.viewer.url, "/queries");
    const rows = page.locator("main tbody tr");
    const cells = (title: string) => page.locator(`main td[data-title="${title}"]`).allTextContents();
    await expect.poll(() => cells("Share of time")).toEqual(["60 %", "30 %", "10 %"]);
    expect(await cells("Calls")).toEqual(["1", "2", "10"]);
    expect(await cells("Mean")).toEqual(["60.0 ms", "15.0 ms", "1.00 ms"]);

    await page.locator("th button", { hasText: "Calls" }).click();
    await expect.poll(() => cells("Calls")).toEqual(["10", "2", "1"]);
    await page.locator("th button", { hasText: "Calls" }).click();
    await expect.poll(() => cells("Calls")).toEqual(["1", "2", "10"]);
    await page.reload();
    await settle(page);
    await expect.poll(() => cells("Calls")).toEqual(["1", "2", "10"]);

    await page.keyboard.press("/");
    await page.keyboard.type("select man");
    await expect.poll(() => rows.count()).toBe(1);
    expect(new URL(page.url()).searchParams.get("text")).toBe("select man");
    await page.keyboard.press("Escape");
    await page.keyboard.press("j");
    await page.keyboard.press("Enter");
    await settle(page);
    await expect.poll(() => page.locator("h1").textContent()).toContain("SELECT many");
    expect(await page.locator(".sql").textContent()).toContain("SELECT many");
  });
});

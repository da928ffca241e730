import { startViewer, type Viewer } from "@telltale/viewer";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { attributes, type Json, ns, spanId } from "./otlp-json.js";
import { settle, visit } from "./pages.js";
import { json, send } from "./send.js";
import { startBrowser, type TestBrowser, type WatchedPage } from "./start-browser.js";

// How the pages with lists behave under somebody's hands: what comes while they read, keys, filters, muting.

let viewer: Viewer;
let browser: TestBrowser;
let watched: WatchedPage;

beforeAll(async () => {
  browser = await startBrowser();
});
afterAll(() => browser?.close());
beforeEach(async () => {
  viewer = await startViewer({ port: 0, otlpPort: 0 });
  watched = await browser.open(viewer.url);
});
afterEach(async () => {
  expect(watched.problems).toEqual([]);
  await watched.close();
  await viewer.close();
});

const startMs = Date.now() - 60_000;

/** Request `number` of a service: it asks the database `queries` times, and took `number` ms. */
async function sendRequest(number: number, { queries = 0, status = 200, service = "shop" } = {}): Promise<void> {
  const traceId = spanId(number).padStart(32, "f");
  const at = startMs + number * 100;
  const entry: Json = {
    traceId,
    spanId: spanId(number),
    name: "GET",
    kind: 2,
    startTimeUnixNano: ns(at),
    endTimeUnixNano: ns(at + number),
    attributes: attributes({
      "http.request.method": "GET",
      "http.route": "/orders/:id",
      "url.path": `/orders/${number}`,
      "http.response.status_code": status,
    }),
  };
  const query = (_: unknown, index: number): Json => ({
    traceId,
    spanId: spanId(number * 1000 + index),
    parentSpanId: spanId(number),
    name: "SELECT",
    kind: 3,
    startTimeUnixNano: ns(at),
    endTimeUnixNano: ns(at + 1),
    attributes: attributes({ "db.system.name": "postgresql", "db.query.text": "SELECT 1" }),
  });
  const spans = [entry, ...Array.from({ length: queries }, query)];
  const { status: answered } = await send(
    viewer.otlpUrl,
    json("/v1/traces", "requests", {
      resourceSpans: [{ resource: { attributes: attributes({ "service.name": service }) }, scopeSpans: [{ spans }] }],
    }),
  );
  expect(answered).toBe(200);
}

async function sendFinding(id: string, title: string): Promise<void> {
  const record = {
    timeUnixNano: ns(Date.now()),
    eventName: "telltale.finding",
    body: { stringValue: title },
    attributes: attributes({
      "telltale.finding.id": id,
      "telltale.finding.kind": "n_plus_one",
      "telltale.finding.severity": "warning",
      "telltale.finding.advice": "Ask once.",
      "telltale.finding.count": 3,
    }),
  };
  const resource = { attributes: attributes({ "service.name": "shop" }) };
  const body = { resourceLogs: [{ resource, scopeLogs: [{ logRecords: [record] }] }] };
  expect((await send(viewer.otlpUrl, json("/v1/logs", "a finding", body))).status).toBe(200);
}

/** The requests on the page, by the number in their path, from above. */
const shown = async (): Promise<number[]> =>
  (await watched.page.locator(".request-route small").allTextContents()).map((path) =>
    Number(path.slice("/orders/".length)),
  );
const soon = { timeout: 6000, interval: 50 };

test("new requests announce themselves and move nothing, until they are asked for or followed; paused, nothing comes", async () => {
  const { page } = watched;
  for (const number of [1, 2]) await sendRequest(number);
  await visit(watched, viewer.url, "/requests");
  await expect.poll(shown, soon).toEqual([2, 1]);

  await sendRequest(3);
  await sendRequest(4, { queries: 2 });
  await page.getByRole("button", { name: "2 new" }).waitFor();
  expect(await shown()).toEqual([2, 1]);
  await page.keyboard.press("n");
  await expect.poll(shown, soon).toEqual([4, 3, 2, 1]);
  expect(await page.locator(".request").first().textContent()).toContain("2 queries");

  await page.getByLabel("follow").check();
  await sendRequest(5);
  await expect.poll(shown, soon).toEqual([5, 4, 3, 2, 1]);

  await page.keyboard.press("p");
  await sendRequest(6);
  // Longer than a change is held back for.
  await page.waitForTimeout(1200);
  expect(await shown()).toEqual([5, 4, 3, 2, 1]);
  await page.keyboard.press("p");
  await expect.poll(shown, soon).toEqual([6, 5, 4, 3, 2, 1]);
});

test("filters are in the address: what is linked is what is shown, and going back undoes", async () => {
  const { page } = watched;
  await sendRequest(5);
  await sendRequest(50, { status: 500 });
  await sendRequest(90);
  await visit(watched, viewer.url, "/requests?slower=20");
  await expect.poll(shown, soon).toEqual([90, 50]);
  await page.getByLabel("Status").selectOption("error");
  await expect.poll(shown, soon).toEqual([50]);
  expect(new URL(page.url()).search).toBe("?slower=20&status=error");
  await page.goBack();
  await expect.poll(shown, soon).toEqual([90, 50]);
  await page.getByRole("button", { name: "Clear" }).click();
  await expect.poll(shown, soon).toEqual([90, 50, 5]);

  await page.keyboard.press("/");
  await page.keyboard.type("/orders/9");
  await page.keyboard.press("Enter");
  await expect.poll(shown, soon).toEqual([90]);
  expect(new URL(page.url()).searchParams.get("text")).toBe("/orders/9");
});

test("keys: down and up the list, into a trace, to other pages, and all of them in the help", async () => {
  const { page } = watched;
  for (const number of [1, 2, 3]) await sendRequest(number);
  await visit(watched, viewer.url, "/requests?service=shop");
  await expect.poll(shown, soon).toEqual([3, 2, 1]);
  for (const key of ["j", "j", "j", "k", "Enter"]) await page.keyboard.press(key);
  await page.waitForURL(`**/trace/${spanId(2).padStart(32, "f")}*`);
  await page.keyboard.press("g");
  await page.keyboard.press("f");
  await page.waitForURL("**/findings?service=shop");
  await page.getByRole("heading", { name: "Findings" }).waitFor();
  await page.keyboard.press("?");
  const help = page.getByRole("dialog", { name: "Keys" });
  await help.waitFor();
  expect(await help.locator("dt").allTextContents()).toEqual(
    expect.arrayContaining(["/", "j", "k", "m", "Enter", "gn", "gr", "p", "t", "?"]),
  );
  // They are the dialog's now.
  await page.keyboard.press("g");
  await page.keyboard.press("n");
  expect(new URL(page.url()).pathname).toBe("/findings");
  await page.keyboard.press("Escape");
  await help.waitFor({ state: "detached" });

  const ground = () => page.evaluate<string>("getComputedStyle(document.body).backgroundColor");
  const light = await ground();
  await page.keyboard.press("t");
  expect(await ground()).not.toBe(light);
  await page.reload();
  await settle(page);
  expect(await ground()).not.toBe(light);
});

test("a muted finding is gone until it is asked for, and is heard again", async () => {
  const { page } = watched;
  await sendFinding("one", "GET /a asks 25 times");
  await sendFinding("two", "GET /b asks 25 times");
  await visit(watched, viewer.url, "/findings");
  const card = (title: string) => page.getByRole("article", { name: title });
  await card("GET /a asks").getByRole("button", { name: "Mute" }).click();
  await card("GET /a asks").waitFor({ state: "detached" });
  expect(await card("GET /b asks").count()).toBe(1);

  await page.getByLabel("muted ones too (1)").check();
  await card("GET /a asks").getByRole("button", { name: "Unmute" }).click();
  await card("GET /a asks").getByRole("button", { name: "Mute" }).waitFor();
  await page.getByLabel("muted ones too").uncheck();
  await card("GET /a asks").waitFor();
});

test("without telemetry, a page says what to run, with the address to send it to; then it shows what came", async () => {
  const { page } = watched;
  await visit(watched, viewer.url, "/");
  await page.getByText("npx telltale dev app.js").waitFor();
  await page.getByText(`OTEL_EXPORTER_OTLP_ENDPOINT=${viewer.otlpUrl}`).waitFor();
  await sendRequest(1);
  await page.getByRole("link", { name: "GET /orders/:id" }).waitFor();
});

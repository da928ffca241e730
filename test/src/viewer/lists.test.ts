import { describeWith } from "@telltale/test/describe-with";
import { expect, test } from "vitest";
import { attributes, type Json, ns, spanId } from "./otlp-json.js";
import { settle, visit } from "./pages.js";
import { json, send } from "./send.js";
import { type Here, watchPages } from "./watch-pages.js";

// How the pages with lists behave under somebody's hands: what comes while they read, what is chosen, what the address says of it.

let here: Here;

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
    here.viewer.otlpUrl,
    json("/v1/traces", "requests", {
      resourceSpans: [{ resource: { attributes: attributes({ "service.name": service }) }, scopeSpans: [{ spans }] }],
    }),
  );
  expect(answered).toBe(200);
}

/** The requests on the page, by the number in their path, from above. */
const shown = async (): Promise<number[]> =>
  (await here.watched.page.locator(".request-route small:not(.request-service)").allTextContents()).map((path) =>
    Number(path.slice("/orders/".length)),
  );
const soon = { timeout: 6000, interval: 50 };

describeWith(["chromium"], "the pages with lists", () => {
  here = watchPages();

  test("new requests announce themselves and move nothing, until they are asked for or followed; paused, nothing comes", async () => {
    const { page } = here.watched;
    for (const number of [1, 2]) await sendRequest(number);
    await visit(here.watched, here.viewer.url, "/requests");
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

  test("back from a trace, the list is as it was left, at the line that led there", async () => {
    const { page } = here.watched;
    const numbers = Array.from({ length: 60 }, (_, index) => index + 1);
    await Promise.all(numbers.map((number) => sendRequest(number)));
    await visit(here.watched, here.viewer.url, "/requests");
    await expect.poll(shown, soon).toEqual(numbers.toReversed());
    await page.getByRole("link", { name: "/orders/7 " }).click();
    await page.getByRole("heading", { name: "Requests" }).waitFor({ state: "detached" });
    await sendRequest(61);
    await page.goBack();
    const row = page.locator("ol.requests li[aria-current=true]");
    await row.waitFor();
    expect(await row.textContent()).toContain("/orders/7");
    // On the screen, which is 800 px high.
    const top = async () => (await row.boundingBox())?.y ?? Infinity;
    await expect.poll(top, soon).toBeLessThan(780);
    expect(await top()).toBeGreaterThan(40);
    expect((await shown())[0]).toBe(60);
    await page.getByRole("button", { name: "1 new" }).waitFor();
  });

  test("filters are in the address: what is linked is what is shown, and going back undoes", async () => {
    const { page } = here.watched;
    await sendRequest(5);
    await sendRequest(50, { status: 500 });
    await sendRequest(90);
    await visit(here.watched, here.viewer.url, "/requests?slower=20");
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

  test("a service and a theme stay chosen from page to page; an open dialog has the keys for itself", async () => {
    const { page } = here.watched;
    await sendRequest(1);
    await sendRequest(2, { service: "billing" });
    await visit(here.watched, here.viewer.url, "/requests");
    await expect.poll(shown, soon).toEqual([2, 1]);
    await page.getByLabel("Service").selectOption("billing");
    await expect.poll(shown, soon).toEqual([2]);
    for (const key of ["g", "f"]) await page.keyboard.press(key);
    await page.getByRole("heading", { name: "Findings" }).waitFor();
    expect(page.url()).toBe(`${here.viewer.url}/findings?service=billing`);

    await page.keyboard.press("?");
    await page.getByRole("dialog", { name: "Keys" }).waitFor();
    for (const key of ["g", "n"]) await page.keyboard.press(key);
    expect(new URL(page.url()).pathname).toBe("/findings");
    await page.keyboard.press("Escape");

    const ground = () => page.evaluate<string>("getComputedStyle(document.body).backgroundColor");
    const light = await ground();
    await page.keyboard.press("t");
    const dark = await ground();
    expect(dark).not.toBe(light);
    await page.reload();
    await settle(page);
    expect(await ground()).toBe(dark);
  });
});

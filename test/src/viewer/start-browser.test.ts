import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describeWith } from "@telltale/test/describe-with";
import { expect, test } from "vitest";
import { FIND_HOSTILE_ELEMENTS, hostileText, hostileUrl } from "./hostile-text.js";
import { startBrowser } from "./start-browser.js";

// What the other tests here rest on: that a page which takes a text for markup is seen to do so.
describeWith(["chromium"], "the browser of the tests", () => {
  test("sees what hostile text does to a page that does not escape it", async () => {
    await using running = new AsyncDisposableStack();
    const server = createServer((request, response) => {
      const isStrict = request.url === "/strict";
      response.writeHead(200, {
        "content-type": "text/html; charset=utf-8",
        ...(isStrict && { "content-security-policy": "default-src 'none'" }),
      });
      const text = hostileText("page");
      // It must not leave before it is looked at.
      const shown = isStrict ? text.replaceAll(/<meta[^>]*>/g, "") : text;
      response.end(`<title>x</title><a href="${hostileUrl("link")}">link</a><p>${shown}</p>`);
    });
    await new Promise<void>((resolve) => {
      server.listen(0, "127.0.0.1", resolve);
    });
    running.defer(() => void server.close());
    const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const browser = await startBrowser();
    running.defer(() => browser.close());

    const naive = await browser.open(origin);
    await naive.page.goto(`${origin}/naive`, { waitUntil: "commit" });
    await expect.poll(() => naive.problems.join("\n")).toContain("hostile script ran: page");
    await expect.poll(() => naive.problems.join("\n")).toContain("request off the origin: https://off.example/");
    await expect.poll(() => browser.offMachine.join("\n")).toContain("off.example:443");

    const strict = await browser.open(origin);
    await strict.page.goto(`${origin}/strict`, { waitUntil: "commit" });
    await expect.poll(() => strict.problems.join("\n")).toContain("CSP violation: script-src");
    await strict.page.waitForSelector("[data-hostile]", { state: "attached" });
    const found = await strict.page.evaluate<string[]>(FIND_HOSTILE_ELEMENTS);
    expect(found.join("\n")).toContain("<script data-hostile");
    expect(found.join("\n")).toContain("\njavascript:hostileRan('link')");
    expect(strict.problems.join("\n")).not.toContain("hostile script ran");
  });
});

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test, vi } from "vitest";
import { scrapeDuring } from "../demo/scrape.js";

test("hands every page on, and gives back the last one only", async () => {
  let pages = 0;
  const server = createServer((_, response) => response.end(`pages_total ${++pages}\n`)).listen(0, "127.0.0.1");
  onTestFinished(() => void server.close());
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as AddressInfo;

  const seen: number[] = [];
  const scraped = await scrapeDuring(
    `http://127.0.0.1:${port}/metrics`,
    1,
    async () => {
      await vi.waitUntil(() => pages >= 5, { interval: 5 });
      return "done";
    },
    (samples: { value: number }[]) => void seen.push(...samples.map(({ value }) => value)),
  );
  expect(seen).toEqual(Array.from({ length: pages }, (_, n) => n + 1));
  expect(scraped).toEqual({ result: "done", samples: [{ name: "pages_total", labels: {}, value: pages }] });
});

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { stripVTControlCharacters } from "node:util";
import { once } from "node:events";
import type { Findings, Now, Queries } from "@telltale/viewer";
import { describe, expect, onTestFinished, test } from "vitest";
import { widthOf } from "../src/cli/report/plain-text.js";
import { readSection } from "../src/cli/top/read-section.js";
import { renderAll, renderScreen, sectionOf } from "../src/cli/top/render.js";
import { SECTIONS } from "../src/cli/top/sections.js";
import { formatAgo, formatMs, formatNumber, formatPercent, sparkline } from "../src/cli/top/units.js";

const steps = (...values: (number | null)[]) => ({ fromMs: 0, stepMs: 1_000, values });
const route = {
  service: "shop",
  route: "GET /orders/:id",
  requests: 200,
  perSecond: 3.333,
  errors: 1,
  totalMs: 5_000,
  p50Ms: 0.5,
  p95Ms: 12.3,
  p99Ms: 1_234,
  rate: steps(null, 0, 1, 2),
  p95: steps(),
  errorRate: steps(),
};
const now = { fromMs: 0, toMs: 1, routes: [route], findings: [], processes: [] } satisfies Now;
/** Clears the screen, sets its title, goes up, rings, reverses the direction of reading, and takes two columns a character. */
const HOSTILE = `\x1b[2J\x1b]0;owned\x07\x1b[1A\r\n\b\u202e漢字漢字${"x".repeat(5_000)}`;
const query = {
  fingerprint: "f",
  system: HOSTILE,
  namespace: HOSTILE,
  summary: HOSTILE,
  text: HOSTILE,
  calls: 1,
  errors: 0,
  totalMs: 1,
  share: 1,
  meanMs: 1,
  p95Ms: 1,
  maxMs: 1,
  rows: null,
  slow: 0,
};
const queries = { fromMs: 0, toMs: 1, totalMs: 1, queries: Array.from({ length: 60 }, () => query) } satisfies Queries;

const view = { url: "http://localhost:4319", minutes: 1, selected: 0, width: 80, height: 24 };
const rowsOf = (name: string, answer: unknown) => SECTIONS.find((one) => one.name === name)?.rows(answer) ?? [];
const indexOf = (name: string): number => SECTIONS.findIndex((one) => one.name === name);

test("a row says what the API told", () => {
  const lines = renderScreen({ ...view, section: 0, content: { rows: rowsOf("routes", now) } });
  const text = lines.map(stripVTControlCharacters).join("\n");
  expect(text).toMatch(/▸ GET \/orders\/:id +3\.3 +▁▅█ +0\.50ms +12ms +1\.2s +0\.5%/);
  expect(text).toContain("200 requests, 1 failed");
});

test.each([
  [80, 24],
  [60, 10],
  [200, 60],
])("hostile texts do nothing to a terminal of %d × %d, and fit", (width, height) => {
  const rows = rowsOf("queries", queries);
  for (const selected of [0, 30, 59]) {
    const lines = renderScreen({ ...view, section: indexOf("queries"), selected, width, height, content: { rows } });
    expect(lines).toHaveLength(height);
    for (const line of lines) {
      const shown = stripVTControlCharacters(line);
      expect(widthOf(shown)).toBeLessThanOrEqual(width);
      // eslint-disable-next-line no-control-regex
      expect(shown).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e]/);
      // Of sequences only those for looks: no cursor, no title.
      // eslint-disable-next-line no-control-regex
      expect(line.replaceAll(/\u001b\[\d+m/g, "")).not.toContain("\u001b");
    }
    expect(lines.some((line) => line.includes("▸"))).toBe(true);
  }
  // eslint-disable-next-line no-control-regex
  expect(renderAll([{ rows }], width)).not.toMatch(/[\u0007\u001b]\]|\u001b\[\d*[A-Z]/);
});

test("a section without rows says so, and one that is asked for shows nothing of another", () => {
  const none = { findings: [], muted: 0 } satisfies Findings;
  const content = { rows: rowsOf("findings", none) };
  expect(renderScreen({ ...view, section: indexOf("findings"), content }).join("\n")).toContain("Nothing was found.");
  expect(renderScreen({ ...view, section: 0, content: undefined }).join("\n")).toContain("Asking…");
});

describe("a viewer that is none", () => {
  async function serve(status: number, body: string): Promise<string> {
    const server = createServer((_, response) => response.writeHead(status).end(body)).listen(0, "127.0.0.1");
    await once(server, "listening");
    onTestFinished(() => void server.close());
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  test.each([
    [200, "<html>", /No viewer answers/],
    [200, "null", /what no viewer of this version does/],
    [200, '{"routes": [{"rate": 3}]}', /what no viewer of this version does/],
    [400, '{"error": "minutes: expected a number"}', /^minutes: expected a number$/],
    [500, "null", /answered 500/],
  ])("%d %s is told in a line", async (status, body, says) => {
    const content = await readSection(sectionOf(0), await serve(status, body), 1);
    expect(content).toEqual({ problem: expect.stringMatching(says) });
  });

  test("nobody there", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    await new Promise((resolve) => server.close(resolve));
    expect(await readSection(sectionOf(0), `http://127.0.0.1:${port}`, 1)).toEqual({
      problem: expect.stringMatching(/ECONNREFUSED.*telltale viewer/),
    });
  });
});

test.each([
  [formatMs(null), "–"],
  [formatMs(0), "0.00ms"],
  [formatMs(0.949), "0.95ms"],
  [formatMs(0.96), "1.0ms"],
  [formatMs(9.96), "10ms"],
  [formatMs(999.6), "1.0s"],
  [formatMs(100_000), "2min"],
  [formatNumber(0.25), "0.3"],
  [formatNumber(1234), "1234"],
  [formatNumber(123_456), "123k"],
  [formatNumber(12_345_678), "12M"],
  [formatPercent(0), "0%"],
  [formatPercent(0.0001), "<0.1%"],
  [formatPercent(0.99999), ">99.9%"],
  [formatPercent(0.123), "12.3%"],
  [formatPercent(1), "100%"],
  [formatAgo(-5), "0s"],
  [formatAgo(7_200_000), "2h"],
  [sparkline([null, 0, 4, 8], 5), "  ▁▅█"],
  [sparkline([0, 0], 2), "▁▁"],
])("%s is %s", (is, expected) => expect(is).toBe(expected));

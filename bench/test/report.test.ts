import { expect, test } from "vitest";
import { writeReport } from "../src/report.js";
import { formatTable } from "../src/table.js";
import { bareResult, endpointResult, loadResult, results, startupResult } from "./a-result.js";

test("a table lines up its columns and leaves empty ones out", () => {
  const rows = [
    ["a", "1", "", "10.5"],
    ["long", "22", "", "3"],
  ];
  expect(formatTable(["", "n", "unused", "value"], rows)).toEqual([
    "        n   value",
    "─────────────────",
    "a       1    10.5",
    "long   22       3",
  ]);
});

test("the cheapest is first, and the noise is told", () => {
  const lines = writeReport(
    results({
      load: {
        item: endpointResult({ agent: loadResult(2.5), bare: bareResult(0.99, 1.01), telltale: loadResult(1.1) }),
      },
      startup: { agent: startupResult(400, 30), bare: startupResult(0, 0) },
    }),
  );
  const names = lines.map((line) => line.split(" ", 1)[0]).filter((name) => /^(bare|telltale|agent)$/.test(name ?? ""));
  expect(names).toEqual(["bare", "telltale", "agent", "bare", "agent"]);
  expect(lines.join("\n")).toContain("the bare servers by themselves are at 0.99 to 1.01; smaller");
  expect(lines.find((line) => line.startsWith("agent") && line.includes("+400"))).toBeDefined();
});

test("what one server cannot tell is left out", () => {
  const load = { item: endpointResult({ bare: loadResult(1), agent: loadResult(2.5) }) };
  const lines = writeReport(results({ load })).join("\n");
  expect(lines).toContain("Noise: not known");
  expect(lines).not.toContain("2.50–2.50");
});

test("start-ups are in the order of their CPU time, which a busy machine hardly changes", () => {
  const startup = { agent: startupResult(400, 30), bare: { ...startupResult(0, 0), addedMs: 500 } };
  const names = writeReport(results({ startup })).map((line) => line.split(" ", 1)[0]);
  expect(names.indexOf("bare")).toBeLessThan(names.indexOf("agent"));
});

test.each([
  { mbPer500k: 0.99, says: "+0.99 MB per 500,000 requests more than bare (+3.00): flat" },
  { mbPer500k: 1.01, says: "+1.01 MB per 500,000 requests more than bare (+3.00): it grows, 1 is allowed" },
  { mbPer500k: -3, says: "−3.00 MB per 500,000 requests more than bare (+3.00): flat" },
])("a soak of $mbPer500k", ({ mbPer500k, says }) => {
  const spread = { median: 100, min: 99, max: 101 };
  const bare = { mbPer500k: 3, rssMb: spread, heapAfterGcMb: { warm: 20, end: 20 } };
  const soak = { ...bare, variant: "telltale", requests: 1, mbPer500k, bare };
  expect(writeReport(results({ soak })).join("\n")).toContain(says);
});

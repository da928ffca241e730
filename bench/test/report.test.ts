import { expect, test } from "vitest";
import { writeReport } from "../src/report.js";
import { formatTable } from "../src/table.js";
import { endpointResult, loadResult, results, startupResult } from "./a-result.js";

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
      load: { item: endpointResult({ agent: loadResult(2.5), bare: loadResult(1), telltale: loadResult(1.1) }) },
      startup: { agent: startupResult(400, 30), bare: startupResult(0, 0) },
    }),
  );
  const names = lines.map((line) => line.split(" ", 1)[0]).filter((name) => /^(bare|telltale|agent)$/.test(name ?? ""));
  expect(names).toEqual(["bare", "telltale", "agent", "bare", "agent"]);
  expect(lines.join("\n")).toContain("the bare servers by themselves are at 0.99 to 1.01");
  expect(lines.find((line) => line.startsWith("agent") && line.includes("+400"))).toBeDefined();
});

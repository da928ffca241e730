import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Finding } from "@telltale/core";
import { afterAll, expect, test } from "vitest";
import { isKnown, readKnownFindings, writeKnownFindings } from "../src/known-findings.js";

const folder = mkdtempSync(join(tmpdir(), "telltale-todo-"));
afterAll(() => rmSync(folder, { recursive: true }));
const file = join(folder, "telltale.todo.json");
const finding = (endpoint: string, fingerprint: string, count: number): Finding =>
  ({ kind: "n_plus_one", endpoint, fingerprint, count, querySummary: "SELECT items" }) as Finding;

test("what was written is known again, whatever its figures, and nothing else is", () => {
  const list = [finding("GET /b", "f1", 30), finding("GET /a", "f2", 30)];
  writeKnownFindings(file, list);
  const text = readFileSync(file, "utf8");
  writeKnownFindings(file, list.toReversed());
  expect(readFileSync(file, "utf8")).toBe(text);
  const known = readKnownFindings(file);
  expect(isKnown(known, finding("GET /a", "f2", 7))).toBe(true);
  expect(isKnown(known, finding("GET /a", "f1", 30))).toBe(false);
  expect(isKnown(known, { ...finding("GET /a", "f2", 30), kind: "slow_query" })).toBe(false);
});

test.each(["", "{", "null", "[]", '{"findings": {}}', '{"findings": [{}]}', '{"findings": [null]}'])(
  "%j is refused",
  (text) => {
    writeFileSync(file, text);
    expect(() => readKnownFindings(file)).toThrow(/telltale\.todo\.json must be /);
  },
);

test("without a file nothing is known", () => {
  expect(readKnownFindings(join(folder, "missing.json"))).toEqual([]);
});

import type { FindingRecord } from "@telltale/core";
import type { Insights, QueryCost } from "@telltale/insights";
import { expect, test } from "vitest";
import { createFindingsPage } from "../src/findings/findings-page.js";
import type { FindingsPage } from "../src/findings/page.js";

const HOSTILE = 'a\u001b[31m\u0007\u009b2J</script><img src=x onerror="alert(1)">\u202eevil\u2028\ud800\n"';

function record(changes: Partial<FindingRecord> = {}): FindingRecord {
  return {
    id: "00000000000000aa",
    kind: "slow_query",
    severity: "warning",
    title: "SELECT items took 200 ms",
    cause: "Why.",
    advice: "Do.",
    page: "docs/findings/slow_query.md",
    endpoint: "GET /items",
    route: "/items",
    subject: undefined,
    system: "postgresql",
    namespace: "shop",
    querySummary: "SELECT items",
    queryText: "SELECT * FROM items",
    fingerprint: "aa",
    count: 2,
    firstSeen: 1_000,
    lastSeen: 2_000,
    lostMs: 400.126,
    calls: 1,
    durationMs: 200,
    waitMs: 0,
    againstMs: 100,
    reason: "threshold",
    why: undefined,
    evidence: undefined,
    callSite: undefined,
    plan: undefined,
    accepted: false,
    traceId: "a".repeat(32),
    spanId: "b".repeat(16),
    sampled: true,
    ...changes,
  };
}

function cost(changes: Partial<QueryCost> = {}): QueryCost {
  return {
    system: "postgresql",
    namespace: "shop",
    querySummary: "SELECT items",
    queryText: "SELECT * FROM items",
    fingerprint: "aa",
    calls: 10,
    totalMs: 100,
    share: 1,
    waitMs: 1,
    meanMs: 10,
    maxMs: 20,
    usualMs: 12,
    isDegraded: false,
    ...changes,
  };
}

function pageOf(findings: FindingRecord[], queries: QueryCost[] = []) {
  const queriesMs = queries.reduce((sum, { totalMs }) => sum + totalMs, 0);
  const insights: Partial<Insights> = {
    topFindings: (limit = 10) => findings.slice(0, limit),
    topQueries: (limit = 10) => queries.slice(0, limit),
    totals: () => ({ findings: findings.length, queries: queries.length, queriesMs }),
  };
  return createFindingsPage(() => insights as Insights, "shop", "local");
}
const written = (parts: string[], silent = 0): FindingsPage =>
  JSON.parse(pageOf([]).write(parts, silent)) as FindingsPage;

test("before anything is watched it is empty, and still a page", () => {
  const page = createFindingsPage(() => undefined, "shop", "local");
  expect(JSON.parse(page.write([page.read()], 0))).toMatchObject({
    telltale: "findings",
    format: 1,
    service: "shop",
    processes: 1,
    findings: [],
    queries: [],
  });
});

test("has what a finding is", () => {
  const callSite = { file: "/app/a.js", line: 3 };
  const [finding] = written([pageOf([record({ callSite, evidence: { pool: "db" } })]).read()]).findings;
  expect(finding).toEqual(
    JSON.parse(
      JSON.stringify({
        ...record({ callSite, evidence: { pool: "db" } }),
        lostMs: 400.13,
        firstSeen: "1970-01-01T00:00:01.000Z",
        lastSeen: "1970-01-01T00:00:02.000Z",
      }),
    ),
  );
});

test("of several processes, the same is one: counted together, seen from first to last", () => {
  const one = pageOf(
    [record({ sampled: false, lastSeen: 9_000, title: "newer" }), record({ id: "b", lostMs: 500 })],
    [cost(), cost({ fingerprint: "bb", totalMs: 150 })],
  );
  const two = pageOf(
    [record({ firstSeen: 500, count: 3, lostMs: 200, callSite: { file: "/a.js", line: 1 } })],
    [cost({ calls: 30, totalMs: 250, maxMs: 40, isDegraded: true })],
  );
  const page = written([one.read(), two.read()], 2);
  expect(page).toMatchObject({ processes: 2, silent: 2, totals: { findings: 2, queries: 2, queriesMs: 500 } });
  expect(page.findings.map(({ id, count, lostMs }) => [id, count, lostMs])).toEqual([
    ["00000000000000aa", 5, 600.13],
    ["b", 2, 500],
  ]);
  // Of the one whose trace is there.
  expect(page.findings[0]).toMatchObject({
    title: "SELECT items took 200 ms",
    sampled: true,
    firstSeen: "1970-01-01T00:00:00.500Z",
    lastSeen: "1970-01-01T00:00:09.000Z",
    callSite: { line: 1 },
  });
  expect(
    page.queries.map(({ fingerprint, calls, totalMs, meanMs, maxMs, share }) => [
      fingerprint,
      calls,
      totalMs,
      meanMs,
      maxMs,
      share,
    ]),
  ).toEqual([
    ["aa", 40, 350, 8.75, 40, 0.7],
    ["bb", 10, 150, 10, 20, 0.3],
  ]);
  expect(page.queries[0]?.isDegraded).toBe(true);
});

test("nothing in it acts on a terminal or in HTML, and it means what it was", () => {
  const page = pageOf(
    [record({ title: HOSTILE, queryText: HOSTILE, evidence: { [HOSTILE]: HOSTILE } })],
    [cost({ querySummary: HOSTILE })],
  );
  const text = page.write([page.read()], 0);
  expect(text.slice(0, -1)).toMatch(/^[\u0020-\u003b\u003d-\u007e\u00a0-\u2027\u2030-\ud7ff\ue000-\uffff]*$/);
  const { findings, queries } = JSON.parse(text) as FindingsPage;
  expect(findings[0]?.title).toBe(HOSTILE);
  expect(findings[0]?.evidence).toEqual({ [HOSTILE]: HOSTILE });
  expect(queries[0]?.querySummary).toBe(HOSTILE);
});

test("100,000 findings with long texts in 1,000 processes are a small page of small parts", () => {
  // Four bytes and an escape per character: as long as JSON gets.
  const long = "\u0001𝒳<".repeat(5_000);
  const findings = Array.from({ length: 1_000 }, (_, n) =>
    record({ id: `${n}`, title: long, queryText: long, querySummary: long, plan: long, evidence: { stack: long } }),
  );
  const queries = Array.from({ length: 5_000 }, (_, n) =>
    cost({ fingerprint: `${n}`, queryText: long, querySummary: long }),
  );
  const part = pageOf(findings, queries).read();
  expect(Buffer.byteLength(part)).toBeLessThan(128 * 1024);
  const plain = Array.from({ length: 100 }, (_, p) =>
    pageOf(
      Array.from({ length: 1_000 }, (_, n) => record({ id: `${p}/${n}` })),
      Array.from({ length: 5_000 }, (_, n) => cost({ fingerprint: `${p}/${n}` })),
    ).read(),
  );
  const text = pageOf([]).write([...plain, part], 0);
  expect(Buffer.byteLength(text)).toBeLessThan(1_000_000);
  expect((JSON.parse(text) as FindingsPage).findings).toHaveLength(200);
});

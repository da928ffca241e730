import { ROOT_CONTEXT, type Span } from "@opentelemetry/api";
import {
  addListener,
  type Finding,
  findingMade,
  type FindingRecord,
  type HttpServerStart,
  selfCounters,
  startHttpServerOperation,
} from "@telltale/core";
import { getRequest } from "@telltale/test/requests";
import { waitFor } from "@telltale/testkit";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { FindingRecords } from "../src/findings/records.js";
import { createFindingEvents, createFindingLog, createInsights, FINDING_KINDS } from "../src/index.js";

let told: FindingRecord[] = [];
let stops: (() => void)[] = [];
beforeEach(() => {
  told = [];
  stops = [addListener({ name: "test", findingTold: (finding) => void told.push(finding) })];
});
afterEach(() => {
  for (const stop of stops) stop();
});

function finding(changes: Partial<Finding> = {}): Finding {
  return {
    kind: "slow_query",
    title: "SELECT items took 200 ms in GET /items",
    advice: "Look at its plan.",
    endpoint: "GET /items",
    route: "/items",
    system: "postgresql",
    namespace: "shop",
    querySummary: "SELECT items",
    queryText: "SELECT * FROM items WHERE id = $1",
    fingerprint: "00000000000000aa",
    count: 1,
    durationMs: 200,
    waitMs: 0,
    againstMs: 100,
    reason: "threshold",
    traceId: "1".repeat(32),
    spanId: "1".repeat(16),
    sampled: false,
    time: 1_000,
    ...changes,
  };
}

function reached(limit: string): number {
  const found = [...selfCounters()].find(
    ({ metric, value }) => metric === "telltale.limits.reached" && value === limit,
  );
  return found?.total ?? 0;
}

test("the same thing is one finding: told at first and once a minute, counted each time", () => {
  let now = 0;
  const records = new FindingRecords(() => now);
  records.add(finding());
  records.add(finding({ time: 2_000, durationMs: 300 }));
  records.add(finding({ fingerprint: "other", time: 3_000 }));
  now = 59_999;
  records.add(finding({ time: 4_000 }));
  expect(told.map(({ fingerprint, count }) => [fingerprint, count])).toEqual([
    ["00000000000000aa", 1],
    ["other", 1],
  ]);
  now = 60_000;
  records.add(finding({ time: 5_000 }));
  expect(told).toHaveLength(3);
  expect(told[2]).toMatchObject({ count: 4, firstSeen: 1_000, lastSeen: 5_000, lostMs: 900 });
  expect(told[2]?.id).toBe(told[0]?.id);
  expect(told[1]?.id).not.toBe(told[0]?.id);
});

test.each<[string, Partial<Finding>, boolean]>([
  ["another kind", { kind: "n_plus_one" }, true],
  ["another endpoint", { endpoint: "POST /items" }, true],
  ["another database", { namespace: "test" }, true],
  ["another query", { fingerprint: "b" }, true],
  ["another subject", { subject: "pool 2" }, true],
  ["another title", { title: "…" }, false],
  ["another reason", { reason: "baseline" }, false],
  ["another trace", { traceId: "2".repeat(32) }, false],
])("%s", (_, changes, isOther) => {
  const records = new FindingRecords();
  records.add(finding());
  records.add(finding(changes));
  expect(records.size).toBe(isOther ? 2 : 1);
});

test("shown is the last one, but a trace that leads somewhere stays, as do the call site and the plan", () => {
  const records = new FindingRecords();
  const callSite = { file: "/app/a.js", line: 3 };
  records.add(finding({ title: "first", callSite, plan: "Seq Scan" }));
  records.add(finding({ title: "second", sampled: true, traceId: "a".repeat(32) }));
  expect(records.top(1)[0]).toMatchObject({ title: "second", callSite, plan: "Seq Scan", sampled: true });
  records.add(finding({ title: "third", sampled: false }));
  expect(records.top(1)[0]).toMatchObject({ title: "second", traceId: "a".repeat(32), callSite, count: 3 });
  records.add(finding({ title: "fourth", sampled: true, callSite: { file: "/app/b.js", line: 4 } }));
  expect(records.top(1)[0]).toMatchObject({ title: "fourth", callSite: { line: 4 }, plan: "Seq Scan" });
});

test("what is accepted is recorded, and nobody is told", () => {
  const records = new FindingRecords();
  records.add(finding({ accepted: true }));
  expect(told).toEqual([]);
  expect(records.top(1)[0]).toMatchObject({ accepted: true, count: 1 });
});

test("they are ranked by the time that they cost", () => {
  const records = new FindingRecords();
  const of = (kind: Finding["kind"], changes: Partial<Finding>) => finding({ kind, fingerprint: kind, ...changes });
  // 4 of 5 calls could have been spared; a wait that came 30 times cost 30 times as much.
  records.add(of("n_plus_one", { count: 5, durationMs: 500 }));
  records.add(of("pool_starved", { count: 30, waitMs: 100, durationMs: 1 }));
  records.add(of("slow_query", { durationMs: 450 }));
  records.add(of("cache_low_hit_ratio", { durationMs: 0, lostMs: 7 }));
  expect(records.top(10).map(({ kind, lostMs, count, calls }) => [kind, lostMs, count, calls])).toEqual([
    ["pool_starved", 3_000, 30, undefined],
    ["slow_query", 450, 1, 1],
    ["n_plus_one", 400, 1, 5],
    ["cache_low_hit_ratio", 7, 1, undefined],
  ]);
});

test.each(Object.entries(FINDING_KINDS))("%s has what every finding has", (kind) => {
  const records = new FindingRecords();
  records.add(finding({ kind: kind as Finding["kind"] }));
  const [record] = records.top(1);
  expect(record).toMatchObject({
    page: `docs/findings/${kind}.md`,
    severity: expect.stringMatching(/^(info|warning|error)$/),
  });
  expect(record?.cause).toMatch(/^[A-Z].*\.$/);
  expect(record?.lostMs).toBeGreaterThanOrEqual(0);
  records.add(finding({ kind: kind as Finding["kind"], severity: "error", cause: "Known." }));
  expect(records.top(1)[0]).toMatchObject({ severity: "error", cause: "Known." });
});

describe("100,000 findings that all differ", () => {
  test("leave 1,000, and are told 100 times a minute; the rest is counted", () => {
    let now = 0;
    const [forgotten, untold] = [reached("finding.records"), reached("finding.told")];
    const records = new FindingRecords(() => now);
    const text = (n: number) => `SELECT ${"x".repeat(9_000)} ${n}`;
    for (let n = 0; n < 100_000; n++)
      records.add(finding({ fingerprint: `f${n}`, endpoint: `GET /${n}`, queryText: text(n) }));
    expect(records.size).toBe(1_000);
    expect(told).toHaveLength(100);
    expect(reached("finding.records") - forgotten).toBe(99_000);
    expect(reached("finding.told") - untold).toBe(99_900);
    // Those that came last are remembered.
    const known = new Set(records.top(2_000).map(({ fingerprint }) => fingerprint));
    expect(known.size).toBe(1_000);
    expect(known.has("f99999") && known.has("f99000")).toBe(true);
    now = 60_000;
    records.add(finding({ fingerprint: "f99999", endpoint: "GET /99999" }));
    expect(told).toHaveLength(101);
  });
});

describe("outputs", () => {
  const hostile = "a\u001b[31mred\u0007\u009b2J</script><b>\u202eevil\u2028\n";

  test("a line of JSON, in which nothing acts on a terminal or in HTML", () => {
    const lines: string[] = [];
    stops.push(
      addListener(createInsights({ eventLoop: { blockMs: 0 } })),
      addListener(createFindingLog((line) => lines.push(line))),
    );
    findingMade(
      finding({ title: hostile, queryText: hostile, subject: hostile, evidence: { pool: hostile }, time: 86_400_000 }),
    );
    findingMade(finding());
    expect(lines).toHaveLength(2);
    const [line = ""] = lines;
    expect(line).toMatch(/^[\u0020-\u003b\u003d-\u007e\u00a0-\uffff]*$/);
    expect(line).not.toMatch(/[\u2028\u202e]/);
    expect(JSON.parse(line)).toMatchObject({
      telltale: "finding",
      kind: "slow_query",
      severity: "warning",
      title: hostile,
      query_text: hostile,
      page: "docs/findings/slow_query.md",
      first_seen: "1970-01-02T00:00:00.000Z",
      count: 1,
      calls: 1,
      duration_ms: 200,
      against_ms: 100,
    });
  });

  test("an event in the logs: name, severity, body, attributes, and the trace where that is exported", () => {
    const emitted: Parameters<Parameters<typeof createFindingEvents>[0]["emit"]>[0][] = [];
    const logger = { emit: (record: (typeof emitted)[0]) => void emitted.push(record), enabled: () => true };
    stops.push(addListener(createInsights({ eventLoop: { blockMs: 0 } })), addListener(createFindingEvents(logger)));
    findingMade(finding({ callSite: { file: "/app/a.js", line: 3, function: "list" }, evidence: { usual_ms: 12 } }));
    findingMade(
      finding({
        kind: "pool_timeout",
        sampled: true,
        evidence: { pool: "db" },
        fingerprint: undefined,
        queryText: undefined,
      }),
    );
    const [first, second] = emitted;
    expect(first).toMatchObject({
      eventName: "telltale.finding",
      severityNumber: 13,
      severityText: "WARN",
      body: "SELECT items took 200 ms in GET /items",
      timestamp: 1_000,
      attributes: {
        "telltale.finding.kind": "slow_query",
        "http.route": "/items",
        "db.system.name": "postgresql",
        "code.file.path": "/app/a.js",
        "code.line.number": 3,
        "telltale.finding.evidence.usual_ms": 12,
      },
    });
    expect(first?.context).toBe(ROOT_CONTEXT);
    expect(second).toMatchObject({ severityNumber: 17, severityText: "ERROR" });
    expect(second?.context).not.toBe(ROOT_CONTEXT);
    expect(Object.keys(second?.attributes ?? {})).not.toContain("db.query.text");
  });

  test("events that tell how often a finding has come by now, where that was asked for", async () => {
    const emitted: { readonly body: unknown; readonly count: unknown }[] = [];
    const logger: Parameters<typeof createFindingEvents>[0] = {
      emit: ({ body, attributes }) => void emitted.push({ body, count: attributes?.["telltale.finding.count"] }),
      enabled: () => true,
    };
    const insights = createInsights({ eventLoop: { blockMs: 0 } });
    const events = createFindingEvents(logger, { everyMs: 20, read: () => insights.topFindings(Infinity) });
    const stop = addListener(events);
    stops.push(addListener(insights), stop);
    for (let n = 0; n < 6; n++) findingMade(finding());
    findingMade(finding({ endpoint: "GET /known", accepted: true }));
    findingMade(finding({ endpoint: "GET /known", accepted: true }));
    const body = "SELECT items took 200 ms in GET /items";
    await waitFor(() => emitted.length > 1, "a second event");
    // Nothing has come since.
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(emitted).toEqual([
      { body, count: 1 },
      { body, count: 6 },
    ]);
    stop();
    findingMade(finding());
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(emitted).toHaveLength(2);
  });

  test("an event on the span it is about, while that is recorded", () => {
    const start: HttpServerStart = getRequest("/items");
    stops.push(addListener(createInsights({ eventLoop: { blockMs: 0 } })));
    const events: unknown[] = [];
    let isRecording = true;
    const span = { isRecording: () => isRecording, addEvent: (...event: unknown[]) => void events.push(event) };
    const operation = startHttpServerOperation(start, ROOT_CONTEXT);
    operation.span = span as unknown as Span;
    findingMade(finding({ kind: "n_plus_one", count: 7 }), operation);
    isRecording = false;
    findingMade(finding(), operation);
    operation.span = undefined;
    findingMade(finding(), operation);
    expect(events).toEqual([
      [
        "telltale.finding",
        {
          "telltale.finding.kind": "n_plus_one",
          "telltale.finding.severity": "warning",
          "telltale.finding.title": "SELECT items took 200 ms in GET /items",
          "telltale.finding.cause": FINDING_KINDS.n_plus_one.cause,
          "telltale.finding.advice": "Look at its plan.",
          "telltale.finding.count": 7,
          "telltale.finding.duration_ms": 200,
          "telltale.finding.against_ms": 100,
        },
      ],
    ]);
  });
});

import { describe, expect, test } from "vitest";
import type { Trace, TraceSpan } from "../src/api/answers.js";
import { NOW_MS, type Seed, type SeedSpan, seedStore } from "./seed-store.js";

const START_MS = NOW_MS - 5_000;

async function seedServices(): Promise<Seed> {
  const seed = await seedStore();
  seed.addResource("shop");
  seed.addResource("stock");
  return seed;
}

/** Spans of one trace, from its start on. */
async function traceOf(spans: readonly (Omit<SeedSpan, "startMs"> & { readonly at: number })[]): Promise<Trace> {
  const seed = await seedServices();
  for (const { at, ...span } of spans) seed.addSpan({ ...span, trace: "t", startMs: START_MS + at });
  return seed.get<Trace>("/api/trace/t");
}

function span({ spans }: Trace, id: string): TraceSpan {
  const found = spans.find(({ spanId }) => spanId === id);
  if (found === undefined) throw new Error(`no span ${id}`);
  return found;
}

/** Each span behind its parent's id, in order. */
function shape({ spans }: Trace): string[] {
  return spans.map(({ spanId, parent, depth }) => `${spans[parent]?.spanId ?? ""}>${spanId}:${depth}`);
}

test("parents come before children, brothers by start", async () => {
  const trace = await traceOf([
    { id: "c", parent: "a", at: 20, ms: 10 },
    { id: "d", parent: "b", at: 6, ms: 1 },
    { id: "b", parent: "a", at: 5, ms: 10 },
    { id: "a", route: "GET /", at: 0, ms: 100 },
  ]);
  expect(shape(trace)).toEqual([">a:0", "a>b:1", "b>d:2", "a>c:1"]);
  expect(trace).toMatchObject({ startMs: START_MS, durationMs: 100, leftOut: 0, services: ["shop"] });
  expect(span(trace, "c")).toMatchObject({ startMs: 20, durationMs: 10, selfMs: 10, skewMs: 0, kind: "client" });
});

describe("ids that make no tree", () => {
  test("orphans are roots", async () => {
    const trace = await traceOf([
      { id: "a", at: 0, ms: 10 },
      { id: "b", parent: "lost", at: 5, ms: 10 },
    ]);
    expect(shape(trace)).toEqual([">a:0", ">b:0"]);
    expect(trace.spans.map(({ isOrphan }) => isOrphan)).toEqual([false, true]);
    expect(trace.durationMs).toBe(15);
  });

  test("cycles are cut where they begin first, with all that hangs on them", async () => {
    const trace = await traceOf([
      { id: "x", parent: "x", at: 0, ms: 1 },
      { id: "a", parent: "c", at: 3, ms: 1 },
      { id: "b", parent: "a", at: 1, ms: 1 },
      { id: "c", parent: "b", at: 2, ms: 1 },
      { id: "leaf", parent: "c", at: 4, ms: 1 },
    ]);
    expect(shape(trace)).toEqual([">x:0", ">b:0", "b>c:1", "c>a:2", "c>leaf:2"]);
  });

  test("two spans of one id are two spans, and children are the first one's", async () => {
    const trace = await traceOf([
      { id: "a", at: 0, ms: 5 },
      { id: "a", at: 1, ms: 5 },
      { id: "b", parent: "a", at: 2, ms: 1 },
    ]);
    expect(shape(trace)).toEqual([">a:0", "a>b:1", ">a:0"]);
  });
});

describe("clocks that disagree", () => {
  const HOUR = 3_600_000;

  test("an answered call lies in the middle of its caller, with all of its process, and its own calls are asked anew", async () => {
    const trace = await traceOf([
      { id: "caller", kind: 3, at: 0, ms: 100 },
      { id: "server", parent: "caller", by: 2, kind: 2, at: HOUR, ms: 60 },
      {
        id: "query",
        parent: "server",
        by: 2,
        at: HOUR + 10,
        ms: 20,
        events: [{ name: "e", timeMs: START_MS + HOUR + 15, attributes: {} }],
      },
      { id: "back", parent: "query", by: 1, kind: 2, at: 35, ms: 5 },
    ]);
    expect(span(trace, "server")).toMatchObject({ startMs: 20, skewMs: 20 - HOUR });
    expect(span(trace, "query")).toMatchObject({ startMs: 30, skewMs: 20 - HOUR });
    expect(span(trace, "query").events).toEqual([{ name: "e", timeMs: 35, attributes: {} }]);
    expect(span(trace, "back")).toMatchObject({ startMs: 35, skewMs: 0 });
    expect(trace.durationMs).toBe(100);
  });

  test("what began before its parent is moved, whichever came first", async () => {
    const trace = await traceOf([
      { id: "server", parent: "caller", by: 2, kind: 2, at: -HOUR, ms: 200 },
      { id: "caller", kind: 3, at: 0, ms: 100 },
    ]);
    // Longer than its caller, which no longer waited.
    expect(span(trace, "server")).toMatchObject({ startMs: 0, skewMs: HOUR });
    expect(trace).toMatchObject({ startMs: START_MS, durationMs: 200 });
  });

  test("work that goes on by itself stays where it is", async () => {
    const trace = await traceOf([
      { id: "sender", kind: 4, at: 0, ms: 10 },
      { id: "worker", parent: "sender", by: 2, kind: 5, at: 500, ms: 10 },
      { id: "timer", parent: "sender", at: 300, ms: 10 },
    ]);
    expect(trace.spans.map(({ startMs, skewMs }) => [startMs, skewMs])).toEqual([
      [0, 0],
      [300, 0],
      [500, 0],
    ]);
  });
});

test("the critical path is walked back from the end", async () => {
  const trace = await traceOf([
    { id: "root", route: "GET /", at: 0, ms: 100 },
    { id: "first", parent: "root", at: 0, ms: 30 },
    { id: "beside", parent: "root", at: 5, ms: 40 },
    { id: "inner", parent: "beside", at: 10, ms: 20 },
    { id: "overlapped", parent: "root", at: 42, ms: 50 },
    { id: "last", parent: "root", at: 50, ms: 45 },
    { id: "afterwards", parent: "root", at: 120, ms: 10 },
  ]);
  const critical = trace.spans.filter(({ isCritical }) => isCritical).map(({ spanId }) => spanId);
  // Back from 100: last (50 to 95), before it beside (5 to 45) with inner; first ended when beside had begun.
  expect(critical.sort()).toEqual(["beside", "inner", "last", "root"]);
});

test("selfMs is what no child was running in", async () => {
  const trace = await traceOf([
    { id: "root", at: 0, ms: 100 },
    { id: "a", parent: "root", at: 10, ms: 20 },
    { id: "b", parent: "root", at: 20, ms: 30 },
    { id: "c", parent: "root", at: 25, ms: 5 },
    { id: "d", parent: "root", at: 90, ms: 50 },
  ]);
  const covered = new Set<number>();
  for (const [from, to] of [
    [10, 30],
    [20, 50],
    [25, 30],
    [90, 100],
  ] as const) {
    for (let ms = from; ms < to; ms++) covered.add(ms);
  }
  expect(span(trace, "root").selfMs).toBeCloseTo(100 - covered.size, 9);
});

test("brothers that are alike are a group", async () => {
  const query = { parent: "root", name: "SELECT t", ms: 1 };
  const trace = await traceOf([
    { id: "root", at: 0, ms: 100 },
    { ...query, id: "a", fingerprint: "1", at: 1 },
    { ...query, id: "b", fingerprint: "2", at: 2 },
    { ...query, id: "c", fingerprint: "1", at: 3 },
    { ...query, id: "d", fingerprint: "1", parent: "a", at: 3 },
    { ...query, id: "e", fingerprint: "1", parent: "a", at: 4 },
    { ...query, id: "f", kind: 1, fingerprint: "1", at: 5 },
  ]);
  const groups = new Map<string | null, string[]>();
  for (const { group, spanId } of trace.spans) groups.set(group, [...(groups.get(group) ?? []), spanId]);
  expect(groups.get(null)?.sort()).toEqual(["b", "f", "root"]);
  expect([...groups].filter(([group]) => group !== null).map(([, ids]) => ids.sort())).toEqual([
    ["a", "c"],
    ["d", "e"],
  ]);
});

test("waits, logs, findings and other traces of the route", async () => {
  const seed = await seedServices();
  const told = {
    "telltale.finding.kind": "n_plus_one",
    "telltale.finding.title": "25 times",
    "telltale.finding.advice": "join",
  };
  seed.addSpan({
    trace: "t",
    id: "root",
    route: "GET /orders",
    startMs: START_MS,
    ms: 50,
    finding: "n_plus_one",
    attributes: { "telltale.finding.blocked_ms": 80 },
    events: [{ name: "telltale.finding", timeMs: START_MS + 50, attributes: told }],
  });
  seed.addSpan({
    trace: "t",
    id: "q",
    parent: "root",
    startMs: START_MS + 1,
    ms: 20,
    attributes: { "telltale.pool.wait_ms": 12, "telltale.why.loop_delay_ms": 3 },
  });
  for (let other = 0; other < 25; other++) {
    seed.addSpan({ trace: `o${other}`, route: "GET /orders", startMs: START_MS - 1 - other, ms: other });
  }
  seed.addSpan({ trace: "else", by: 2, route: "GET /orders", startMs: START_MS, ms: 1 });
  // The one that all of them are told by names another trace.
  seed.addFinding(1, "f", "o1", 9, {
    ...told,
    "telltale.finding.endpoint": "GET /orders",
    "telltale.finding.plan": "Seq Scan",
  });
  seed.addFinding(1, "mine", "t", 1, { "telltale.finding.kind": "slow_query", "telltale.finding.severity": "warning" });
  seed.store.db
    .prepare(
      "INSERT INTO log (time_us, trace_id, span_id, resource_id, scope, severity, severity_text, event_name, body, attributes) VALUES (?, 't', 'q', 1, '', 17, '', '', 'broken', '{\"a\":1}')",
    )
    .run((START_MS + 7) * 1000);
  const trace = seed.get<Trace>("/api/trace/T");
  // Never more than the span itself.
  expect(span(trace, "root")).toMatchObject({ loopDelayMs: 50, poolWaitMs: 0, finding: "n_plus_one" });
  expect(span(trace, "q")).toMatchObject({ loopDelayMs: 3, poolWaitMs: 12 });
  expect(trace.logs).toEqual([
    { timeMs: 7, spanId: "q", severity: "ERROR", eventName: "", body: "broken", attributes: { a: 1 } },
  ]);
  expect(trace.alike.map(({ traceId }) => traceId)).toEqual(Array.from({ length: 20 }, (_, index) => `o${index}`));
  expect(trace.findings.map(({ id }) => id).sort()).toEqual(["f", "mine"]);
  expect(trace.findings.find(({ id }) => id === "f")).toMatchObject({
    title: "25 times",
    advice: "join",
    plan: "Seq Scan",
    traceId: "t",
    count: 1,
  });
});

describe("more spans than are a picture", () => {
  const COUNT = 12_000;

  async function seedMany(parentOf: (index: number) => number): Promise<Trace> {
    const seed = await seedServices();
    seed.store.db.exec("BEGIN");
    for (let index = 0; index < COUNT; index++) {
      seed.addSpan({
        trace: "t",
        id: `s${index}`,
        parent: index === 0 ? "" : `s${parentOf(index)}`,
        startMs: START_MS + index / 1_000,
        // The very last to end is critical.
        ms: index === 0 ? 1_000 : index === 11_500 ? 900 : 0.5,
        ...(index === 11_001 && { finding: "slow_query" }),
      });
    }
    seed.store.db.exec("COMMIT");
    return seed.get<Trace>("/api/trace/t");
  }

  test.each([
    ["flat", () => 0],
    ["a tree", (index: number) => Math.floor((index - 1) / 3)],
    ["deep", (index: number) => index - 1],
  ])("of a trace that is %s, 10,000 are answered, and all parents", async (name, parentOf) => {
    const { spans, leftOut } = await seedMany(parentOf);
    expect(spans).toHaveLength(10_000);
    expect(leftOut).toBe(COUNT - 10_000);
    const misplaced = spans.filter(
      ({ parent, spanId }, index) =>
        parent >= index || (index > 0 && spans[parent]?.spanId !== `s${parentOf(Number(spanId.slice(1)))}`),
    );
    expect(misplaced).toEqual([]);
    // Alone with all above it, it is more than are answered.
    if (name === "deep") return;
    expect(spans.some(({ finding }) => finding === "slow_query")).toBe(true);
    if (name === "flat") expect(spans.find(({ spanId }) => spanId === "s11500")?.isCritical).toBe(true);
  });
});

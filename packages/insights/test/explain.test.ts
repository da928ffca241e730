import { context } from "@opentelemetry/api";
import {
  addListener,
  type DatabaseTemplate,
  type ExplainJob,
  type Explanation,
  type Finding,
  selfCounters,
  startDatabaseOperation,
} from "@telltale/core";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createPlanFinder, type PlanFinder } from "../src/slow/explain.js";

const told: Finding[] = [];
let stop: () => void;
let plans: PlanFinder;
let nowMs = 0;
/** Of jobs that run, by fingerprint. */
const running = new Map<string, { done(answer: Explanation): void; failed(error: Error): void }>();
let asked: string[] = [];

beforeEach(() => {
  told.length = 0;
  asked = [];
  running.clear();
  nowMs = 0;
  plans = createPlanFinder(() => nowMs);
  stop = addListener({ name: "test", findingMade: (finding) => void told.push(finding) });
});
afterEach(() => stop());

const PLAN: Explanation = {
  plan: "Seq Scan on t",
  advice: [{ kind: "missing_index", text: "Try it.", index: "t (a)" }],
};

function template(fingerprint: string, effect: DatabaseTemplate["effect"] = "read"): DatabaseTemplate {
  return {
    system: "postgresql",
    namespace: "db",
    operationName: "SELECT",
    collection: "t",
    querySummary: "SELECT t",
    queryText: "SELECT",
    fingerprint,
    effect,
    serverAddress: "localhost",
    serverPort: 5432,
    poolName: undefined,
    slots: [],
  };
}

/** A slow call; with `refusal`, one that must not be explained. */
function tell(fingerprint: string, options: { effect?: "write"; refusal?: string; title?: string } = {}): void {
  const operation = startDatabaseOperation(
    template(fingerprint, options.effect),
    "SELECT",
    undefined,
    context.active(),
  );
  const job: ExplainJob = () => {
    asked.push(fingerprint);
    return new Promise((done, failed) => running.set(fingerprint, { done, failed }));
  };
  operation.explainer = { prepare: () => options.refusal ?? job };
  const finding = {
    kind: "slow_query",
    title: options.title ?? fingerprint,
    advice: "Look.",
    evidence: { threshold_ms: 1 },
  };
  plans.tell(finding as unknown as Finding, operation);
}
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const limit = (name: string): number => [...selfCounters()].find(({ value }) => value === name)?.total ?? 0;

test("a finding waits for its plan, and so do those of the same shape", async () => {
  tell("a", { title: "first" });
  tell("a", { title: "second" });
  expect(told).toEqual([]);
  running.get("a")?.done(PLAN);
  await settle();
  expect(told.map(({ title }) => title)).toEqual(["first", "second"]);
  expect(told[0]).toMatchObject({
    plan: "Seq Scan on t",
    advice: "Try it.",
    evidence: { threshold_ms: 1, plan_advice: "missing_index", index_to_try: "t (a)" },
  });
  tell("a", { title: "third" });
  expect(told.at(-1)).toMatchObject({ title: "third", plan: "Seq Scan on t" });
  expect(asked).toEqual(["a"]);
});

test("one runs at a time, in the order in which they came", async () => {
  for (const fingerprint of ["a", "b", "c"]) tell(fingerprint);
  expect(asked).toEqual(["a"]);
  running.get("a")?.failed(new Error("its tables are locked"));
  await settle();
  expect(asked).toEqual(["a", "b"]);
  expect(told).toMatchObject([{ advice: "Look.", evidence: { not_explained: "its tables are locked" } }]);
  running.get("b")?.done({ plan: "Index Scan", advice: [] });
  await settle();
  expect(asked).toEqual(["a", "b", "c"]);
  expect(told[1]?.advice).toMatch(/Nothing stands out/);
});

test("a shape is asked for once an hour, whatever came of it", async () => {
  tell("a");
  running.get("a")?.failed(new Error("no"));
  await settle();
  nowMs = 3_599_999;
  tell("a");
  expect(asked).toEqual(["a"]);
  nowMs = 3_600_000;
  tell("a");
  expect(asked).toEqual(["a", "a"]);
});

test("what must not be explained, or is no read, is told at once", () => {
  tell("a", { refusal: "it locks rows" });
  tell("b", { effect: "write" });
  expect(asked).toEqual([]);
  expect(told.map(({ evidence }) => evidence)).toEqual([
    { threshold_ms: 1, not_explained: "it locks rows" },
    { threshold_ms: 1 },
  ]);
});

test("where nobody can explain, nothing is kept", () => {
  const operation = startDatabaseOperation(template("a"), "SELECT", undefined, context.active());
  plans.tell({ title: "a" } as Finding, operation);
  expect(told).toEqual([{ title: "a" }]);
});

test("no finding waits longer than is allowed, and none at the end; what comes of it serves the next", async () => {
  plans = createPlanFinder(() => nowMs, 20);
  tell("late");
  await vi.waitFor(() => expect(told).toHaveLength(1));
  tell("end");
  plans.tellHeld();
  expect(told.map(({ title, plan }) => ({ title, plan }))).toEqual([
    { title: "late", plan: undefined },
    { title: "end", plan: undefined },
  ]);
  running.get("late")?.done(PLAN);
  await settle();
  expect(told).toHaveLength(2);
  tell("late");
  expect(told[2]?.plan).toBe("Seq Scan on t");
});

test("the queue is bounded and what it refused is counted, and may come again", async () => {
  const before = limit("explain.queue");
  for (let n = 0; n < 25; n++) tell(`f${n}`);
  // One runs, twenty wait.
  expect(limit("explain.queue") - before).toBe(4);
  expect(told).toHaveLength(4);
  running.get("f0")?.done(PLAN);
  await settle();
  tell("f24");
  expect(limit("explain.queue") - before).toBe(4);
});

test("findings that wait are bounded", () => {
  const before = limit("explain.held");
  for (let n = 0; n < 150; n++) tell("a");
  expect(told).toHaveLength(50);
  expect(limit("explain.held") - before).toBe(50);
});

test("shapes are bounded: those of the last hour are never forgotten", () => {
  const before = limit("explain.shapes");
  for (let n = 0; n < 600; n++) tell(`f${n}`, { refusal: "no" });
  expect(limit("explain.shapes") - before).toBe(100);
  nowMs = 3_600_000;
  tell("new", { refusal: "later" });
  expect(limit("explain.shapes") - before).toBe(100);
  expect(told.at(-1)?.evidence).toMatchObject({ not_explained: "later" });
});

import { performance } from "node:perf_hooks";
import {
  type DatabaseOperation,
  type ExplainJob,
  type Explanation,
  type Finding,
  findingMade,
  limitOf,
  say,
  startTimer,
  stopTimer,
} from "@telltale/core";
import { noteOnSpan } from "../findings/attributes.js";

/** How long a plan is good for, in ms: a shape is not asked for again meanwhile, whatever came of it. */
const FRESH_MS = 3_600_000;
/** Shapes whose plan is kept: 5 KB each, so 2.5 MB at most. */
const MAX_SHAPES = 500;
/** Jobs that wait for the one that runs. */
const MAX_WAITING = 20;
/** A finding waits so long for its plan, in ms, and then does without. */
const HOLD_MS = 5_000;
/** Findings of one shape that wait for the same plan. */
const MAX_HELD = 100;

/** What is known of one shape. */
class Shape {
  readonly askedMs: number;
  /** The plan, or why there is none; undefined until that is known. */
  answer: Explanation | string | undefined = undefined;
  held: Finding[] = [];
  timer: NodeJS.Timeout | undefined = undefined;

  constructor(askedMs: number) {
    this.askedMs = askedMs;
  }
}

/** Completes findings of slow queries with what the server says of their plan. */
export interface PlanFinder {
  /** Tells a finding: at once, or when its plan is known, 5 s later at most. */
  tell(finding: Finding, operation: DatabaseOperation): void;
  /** Tells what still waits, without its plan. */
  tellHeld(): void;
}

/**
 * Asks for each query shape of each database once an hour, for one at a time. `now` is in ms.
 */
export function createPlanFinder(now: () => number = () => performance.now(), holdMs = HOLD_MS): PlanFinder {
  const shapes = new Map<string, Shape>();
  const waiting: { readonly job: ExplainJob; readonly shape: Shape }[] = [];
  let isBusy = false;

  function tell(finding: Finding, operation: DatabaseOperation): void {
    const { template, explainer } = operation;
    if (explainer === undefined || template.effect !== "read") {
      findingMade(finding, operation);
      return;
    }
    const key = [
      template.system,
      template.serverAddress,
      template.serverPort,
      template.namespace,
      template.fingerprint,
    ].join("\n");
    const known = shapes.get(key);
    const shape = known !== undefined && now() - known.askedMs < FRESH_MS ? known : begin(key, operation);
    if (shape === undefined) findingMade(finding, operation);
    else if (shape.answer !== undefined) findingMade(complete(finding, shape.answer), operation);
    else if (shape.held.length < MAX_HELD) {
      // By the time that the plan is there, the span has ended.
      noteOnSpan(finding, operation);
      shape.held.push(finding);
    } else {
      limitOf("explain.held").total += 1;
      findingMade(finding, operation);
    }
  }

  function begin(key: string, operation: DatabaseOperation): Shape | undefined {
    const shape = new Shape(now());
    shapes.delete(key);
    if (!hasRoom(shape.askedMs)) {
      limitOf("explain.shapes").total += 1;
      return undefined;
    }
    const job = prepare(operation);
    if (typeof job === "string") shape.answer = job;
    else if (waiting.length >= MAX_WAITING) {
      // It may be asked for when it is slow again.
      limitOf("explain.queue").total += 1;
      return undefined;
    } else {
      waiting.push({ job, shape });
      shape.timer = startTimer(() => release(shape), holdMs).unref();
      if (!isBusy) void work();
    }
    shapes.set(key, shape);
    return shape;
  }

  /** In the order in which they were asked for; those asked for within the hour are never forgotten, or they would be asked for again. */
  function hasRoom(nowMs: number): boolean {
    for (const [oldest, { askedMs }] of shapes) {
      if (shapes.size < MAX_SHAPES) break;
      if (nowMs - askedMs < FRESH_MS) return false;
      shapes.delete(oldest);
    }
    return true;
  }

  async function work(): Promise<void> {
    isBusy = true;
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const { job, shape } = next;
      try {
        shape.answer = await job();
      } catch (error) {
        shape.answer = error instanceof Error ? error.message : String(error);
        say("debug", `a slow query was not explained: ${shape.answer}`);
      }
      release(shape);
    }
    isBusy = false;
  }

  function tellHeld(): void {
    for (const shape of shapes.values()) release(shape);
  }

  return { tell, tellHeld };
}

function prepare(operation: DatabaseOperation): ExplainJob | string {
  try {
    return operation.explainer?.prepare(operation) ?? "nobody can";
  } catch (error) {
    say("error", `EXPLAIN could not be prepared; the app is not affected. Please report this: ${String(error)}`);
    return "Telltale failed";
  }
}

function release(shape: Shape): void {
  stopTimer(shape.timer);
  const { held, answer } = shape;
  shape.held = [];
  for (const finding of held) findingMade(answer === undefined ? finding : complete(finding, answer));
}

function complete(finding: Finding, answer: Explanation | string): Finding {
  if (typeof answer === "string") return { ...finding, evidence: { ...finding.evidence, not_explained: answer } };
  const { plan, advice } = answer;
  const indexes = advice.flatMap(({ index }) => index ?? []);
  return {
    ...finding,
    plan,
    advice:
      advice.length === 0
        ? `${NOTHING_STANDS_OUT} ${explainWith(finding.system)}.`
        : advice.map(({ text }) => text).join(" "),
    evidence: {
      ...finding.evidence,
      ...(advice.length > 0 && { plan_advice: [...new Set(advice.map(({ kind }) => kind))].join(", ") }),
      ...(indexes.length > 0 && { index_to_try: indexes.join("; ") }),
    },
  };
}

/** What shows a plan with what was really done; it runs the query. */
export function explainWith(system: string | undefined): string {
  return PLANS[system ?? ""] ?? "EXPLAIN";
}

const PLANS: Readonly<Record<string, string>> = {
  mariadb: "ANALYZE FORMAT=JSON",
  mysql: "EXPLAIN ANALYZE",
  sqlite: "EXPLAIN QUERY PLAN",
  "microsoft.sql_server": "SET STATISTICS XML ON",
  postgresql: "EXPLAIN (ANALYZE, BUFFERS)",
  mongodb: 'explain("executionStats")',
};

const NOTHING_STANDS_OUT =
  "Nothing stands out in its plan: look for locks, for more rows than are needed, and, with real values, at";

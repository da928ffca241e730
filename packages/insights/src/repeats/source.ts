import type { Calls, Repetition } from "./calls.js";
import type { Subject } from "./subject.js";

/** The query whose rows a loop goes through. */
export interface Source {
  readonly name: string;
  readonly fingerprint: string | undefined;
  readonly rows: number;
  /** 1, or more where it is itself run in a loop. */
  readonly calls: number;
  /** False where it has one row for each call of the loop, and no other query has. */
  readonly isEstimate: boolean;
}

/** How well a number of rows fits a number of calls: one for each; or a few for each, or some rows left out. */
export function fitOf(rows: number, calls: number): "exact" | "near" | undefined {
  if (rows < 2 || calls < 2) return undefined;
  if (rows === calls) return "exact";
  if (rows > calls) return rows <= 2 * calls ? "near" : undefined;
  return calls === 2 * rows || calls === 3 * rows ? "near" : undefined;
}

interface Candidate {
  readonly subject: Subject;
  readonly calls: number;
  readonly rows: number;
  readonly fit: "exact" | "near";
}

/**
 * The query that ended before the calls of a loop began and has as many rows as they are. Of several that fit, the one with fewest calls,
 * and of these the last: `list` has those first that ended last.
 */
export function findSource(loop: Calls, repetition: Repetition, list: Calls | undefined): Source | undefined {
  let best: Candidate | undefined;
  let exact = 0;
  for (let calls = list; calls !== undefined; calls = calls.next) {
    const found = calls === loop ? undefined : candidateOf(calls, loop.startMs, repetition);
    if (found === undefined) continue;
    if (found.fit === "exact") exact++;
    // One row for each of its calls: it is another loop beside this one, or one in between.
    if (found.calls > 1 && found.rows <= found.calls) continue;
    if (best === undefined || isBetter(found, best)) best = found;
  }
  if (best === undefined) return undefined;
  const { subject, calls, rows, fit } = best;
  return {
    name: subject.name,
    fingerprint: subject.template?.fingerprint,
    rows,
    calls,
    isEstimate: fit !== "exact" || exact > 1,
  };
}

function isBetter(one: Candidate, other: Candidate): boolean {
  if (one.fit !== other.fit) return one.fit === "exact";
  return one.calls < other.calls;
}

function candidateOf(
  { subject, endMs, rows, again }: Calls,
  firstStartMs: number,
  { count, secondStartMs }: Repetition,
): Candidate | undefined {
  // The same query may have been asked once before, as for the user of the request.
  const isFirst = endMs <= firstStartMs;
  if (!isFirst && endMs > secondStartMs) return undefined;
  const asked = isFirst ? count : count - 1;
  const counts: [rows: number, calls: number][] = [[rows, 1]];
  if (again !== undefined) {
    if (again.busyUntilMs <= (isFirst ? firstStartMs : secondStartMs)) counts.push([again.lastRows, 1]);
    counts.push([again.rows, again.count]);
  }
  let near: Candidate | undefined;
  for (const [of, calls] of counts) {
    const fit = fitOf(of, asked);
    if (fit === "exact") return { subject, calls, rows: of, fit };
    if (fit === "near") near ??= { subject, calls, rows: of, fit };
  }
  return near;
}

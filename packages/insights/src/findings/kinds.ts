import type { Finding, FindingKind, FindingSeverity } from "@telltale/core";

/** What is the same for all findings of a kind. */
interface KindFacts {
  readonly severity: FindingSeverity;
  /** Why it happens, as far as the kind tells. */
  readonly cause: string;
  /** What `count` of a finding counts: calls in one request, or times that it came since it was last made. */
  readonly counts: "calls" | "times";
  /** Time that one of them cost, in ms. */
  lostMs(finding: Finding): number;
}

const nothing = (): number => 0;
const duration = ({ durationMs }: Finding): number => durationMs;
/** All calls but one. */
const repeats = ({ durationMs, count }: Finding): number => (count > 1 ? (durationMs * (count - 1)) / count : 0);

export const FINDING_KINDS: Readonly<Record<FindingKind, KindFacts>> = {
  slow_query: {
    severity: "warning",
    cause: "The server needs that long for this query, or is busy with others.",
    counts: "calls",
    lostMs: duration,
  },
  n_plus_one: {
    severity: "warning",
    cause: "A loop asks for one row at a time: each turn is another round trip to the server.",
    counts: "calls",
    lostMs: repeats,
  },
  duplicate_query: {
    severity: "warning",
    cause: "The same question is asked again in the same request, because nobody keeps its answer.",
    counts: "calls",
    lostMs: repeats,
  },
  repeated_http_call: {
    severity: "warning",
    cause: "A loop asks another service for one thing at a time: each turn is another round trip.",
    counts: "calls",
    lostMs: repeats,
  },
  repeated_lookup: {
    severity: "info",
    cause: "The same keys are looked up again in the same request, or one by one where one call would do.",
    counts: "calls",
    lostMs: repeats,
  },
  pool_starved: {
    severity: "warning",
    cause: "Whoever holds the connections of the pool keeps others waiting.",
    counts: "times",
    lostMs: ({ waitMs, count }) => waitMs * count,
  },
  pool_timeout: {
    severity: "error",
    cause: "The connections of the pool were held for longer than others may wait for one.",
    counts: "times",
    lostMs: ({ waitMs, count }) => waitMs * count,
  },
  connection_leak: {
    severity: "error",
    cause: "A way out of the code that took the connection does not give it back.",
    counts: "times",
    lostMs: ({ durationMs, count }) => durationMs * count,
  },
  cache_low_hit_ratio: {
    severity: "info",
    cause: "Most keys that are looked up are not there: they expire too soon, differ every time, or are never written.",
    counts: "times",
    // Of a whole window nobody knows what the misses cost; of one request it is the queries in their place.
    lostMs: ({ reason, durationMs, count }) => (reason === "one_request" ? durationMs * count : 0),
  },
  cache_stampede: {
    severity: "warning",
    cause: "Many requests miss the same key at once, and each of them fetches what one could have fetched for all.",
    counts: "times",
    // All but one of them.
    lostMs: ({ evidence, durationMs, count }) => Number(evidence?.["wastedMs"] ?? durationMs) * count,
  },
  cache_never_read: {
    severity: "info",
    cause: "What is written there is not looked up by anybody.",
    counts: "times",
    lostMs: nothing,
  },
  event_loop_blocked: {
    severity: "warning",
    cause: "JavaScript ran in one piece, and nothing else in this process could.",
    counts: "calls",
    lostMs: duration,
  },
};

export function severityOf({ kind, severity }: Finding): FindingSeverity {
  return severity ?? FINDING_KINDS[kind].severity;
}

export function causeOf({ kind, cause }: Finding): string {
  return cause ?? FINDING_KINDS[kind].cause;
}

/** The page of a kind, in the repository. */
export function pageOf(kind: FindingKind): string {
  return `docs/findings/${kind}.md`;
}

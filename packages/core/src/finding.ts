import type { CallSite } from "./call-site.js";

/** What kinds of things there are to be found. */
export const KINDS_OF_FINDINGS = [
  "slow_query",
  "n_plus_one",
  "duplicate_query",
  "repeated_http_call",
  "repeated_lookup",
  "pool_starved",
  "connection_leak",
  "pool_timeout",
  "cache_low_hit_ratio",
  "cache_stampede",
  "cache_never_read",
  "event_loop_blocked",
] as const;

/** What kind of thing was found. */
export type FindingKind = (typeof KINDS_OF_FINDINGS)[number];

/** How bad it is: worth knowing, worth repairing, or hurting somebody now. */
export type FindingSeverity = "info" | "warning" | "error";

/** Where the time of a call went, in ms; the three add up to the call. */
export interface Why {
  /** Waiting for a pooled connection. */
  readonly waitMs: number;
  /** Kept from being read by work in this process. */
  readonly loopDelayMs: number;
  /** The server and the network. */
  readonly restMs: number;
  /** True where the parts cannot be told apart exactly: as soon as the event loop had a share in it. */
  readonly isEstimate: boolean;
}

/** Something that a person should look at: what, where, how bad, how to repair it. */
export interface Finding {
  readonly kind: FindingKind;
  /** One sentence that stands alone: `GET /orders runs SELECT order_items 25 times (310 ms of 342 ms)`. */
  readonly title: string;
  /** What to do about it, one sentence. */
  readonly advice: string;
  /** `http.route` of the request, with its method: `GET /orders`; undefined outside of a request. */
  readonly endpoint: string | undefined;
  readonly route: string | undefined;
  /** `db.system.name`; undefined for kinds that are about no query, as are the fields that follow. */
  readonly system: string | undefined;
  readonly namespace: string | undefined;
  readonly querySummary: string | undefined;
  /** Sanitised text. */
  readonly queryText: string | undefined;
  readonly fingerprint: string | undefined;
  /** How often the query ran in the request; 1 for a slow query. */
  readonly count: number;
  /** Time of the calls together, in ms. */
  readonly durationMs: number;
  /** Of that, time spent waiting for a pooled connection, in ms. */
  readonly waitMs: number;
  /** What it was measured against: the threshold of a slow query, the duration of the request for repeated ones; in ms. */
  readonly againstMs: number;
  /** For slow queries: `threshold` or `baseline`. */
  readonly reason: string | undefined;
  /** Trace to look at; undefined while tracing is off. */
  readonly traceId: string | undefined;
  readonly spanId: string | undefined;
  /** False when the trace is not exported, so that the id leads nowhere. */
  readonly sampled: boolean;
  /** Wall clock, ms since the epoch. */
  readonly time: number;
  /** Where in the app's code the call was made, once its shape is armed (see `wantSite`). */
  readonly callSite?: CallSite | undefined;
  readonly why?: Why | undefined;
  /** What only this kind has: flat, for people and for attributes. */
  readonly evidence?: Readonly<Record<string, string | number | boolean>> | undefined;
  /** True for one that is known and accepted: it is counted as such, and alarms nobody. Set before others hear of it. */
  accepted?: boolean | undefined;
  /** The plan of the query, as the server's EXPLAIN gives it. */
  readonly plan?: string | undefined;
  /** Where it differs from that of its kind. */
  readonly severity?: FindingSeverity | undefined;
  /** Why it happens, one sentence, where more is known than can be said of its kind. */
  readonly cause?: string | undefined;
  /** What tells it from others of its kind, endpoint and query, where something does: the pool, the cache, the server asked. Bounded. */
  readonly subject?: string | undefined;
  /** Time that it cost, in ms, where that is not what its kind says. */
  readonly lostMs?: number | undefined;
}

/**
 * All findings of one kind, endpoint, query and subject: what people are told, and what is counted. The texts, numbers and the trace are
 * those of one of them, of the last whose trace is exported where there is one.
 */
export interface FindingRecord {
  /** The same for the same thing in every process of the service: 16 hexadecimal digits. */
  readonly id: string;
  readonly kind: FindingKind;
  readonly severity: FindingSeverity;
  /** One sentence that stands alone. */
  readonly title: string;
  /** Why it happens, one sentence. */
  readonly cause: string;
  /** What to do about it, one sentence. */
  readonly advice: string;
  /** The page that says what this kind means, how it is found, how to repair and how to silence it: `docs/findings/n_plus_one.md`. */
  readonly page: string;
  /** `http.route` with the method: `GET /orders`; undefined outside of a request. */
  readonly endpoint: string | undefined;
  readonly route: string | undefined;
  readonly subject: string | undefined;
  readonly system: string | undefined;
  readonly namespace: string | undefined;
  readonly querySummary: string | undefined;
  /** Sanitised text. */
  readonly queryText: string | undefined;
  readonly fingerprint: string | undefined;
  /** How often it was found. */
  readonly count: number;
  /** Wall clock, ms since the epoch. */
  readonly firstSeen: number;
  readonly lastSeen: number;
  /** Time that all of them cost, in ms: what they are ranked by. */
  readonly lostMs: number;
  /** Calls of the query in the request, where there is one. */
  readonly calls: number | undefined;
  readonly durationMs: number;
  readonly waitMs: number;
  readonly againstMs: number;
  readonly reason: string | undefined;
  readonly why: Why | undefined;
  readonly evidence: Readonly<Record<string, string | number | boolean>> | undefined;
  readonly callSite: CallSite | undefined;
  readonly plan: string | undefined;
  /** True where it is known and accepted: it is recorded, and nobody is told. */
  readonly accepted: boolean;
  readonly traceId: string | undefined;
  readonly spanId: string | undefined;
  /** False when the trace is not exported, so that the id leads nowhere. */
  readonly sampled: boolean;
}

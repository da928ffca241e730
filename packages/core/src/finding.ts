/** What kind of thing was found. */
export type FindingKind = "slow_query" | "n_plus_one" | "duplicate_query";

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
  readonly system: string;
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
  /** For slow queries: `threshold`. */
  readonly reason: string | undefined;
  /** Trace to look at; undefined while tracing is off. */
  readonly traceId: string | undefined;
  readonly spanId: string | undefined;
  /** False when the trace is not exported, so that the id leads nowhere. */
  readonly sampled: boolean;
  /** Wall clock, ms since the epoch. */
  readonly time: number;
}

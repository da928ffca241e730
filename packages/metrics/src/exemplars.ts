import type { HrTime, Span } from "@opentelemetry/api";
import { epochOriginMs, isExported, type Operation } from "@telltale/core";
import { toHrTime } from "./time.js";

/** A measurement whose trace was recorded. */
export interface Exemplar {
  /** In the unit of the metric. */
  readonly value: number;
  readonly timestamp: HrTime;
  readonly traceId: string;
  readonly spanId: string;
}

/** After so many ms whatever comes next takes the place of what was slow. */
const STAYS_MS = 10_000;
/** A failed operation ranks above all that did not fail, whatever they took. */
const FAILED = 1e9;
/** Below every duration. */
const LOWEST = -1;

/**
 * One exemplar for each bucket of a histogram series: of the sampled operations of the last seconds a failed one, else the slowest.
 * Ids are read only of those that are kept, of n operations about ln n, and no span is: it would keep its operation, its request and
 * all that hangs on them.
 */
export class Exemplars {
  /** By bucket. */
  private readonly kept: (Exemplar | undefined)[];
  /** By bucket: what does not rank above this is passed over. */
  private readonly ranks: number[];
  /** By bucket: when its operation ended. */
  private readonly endsMs: number[];
  /** When the ranks are forgotten. */
  private untilMs = 0;

  constructor(buckets: number) {
    this.kept = Array.from({ length: buckets });
    this.ranks = Array.from({ length: buckets }, () => LOWEST);
    this.endsMs = Array.from({ length: buckets }, () => 0);
  }

  offer(bucket: number, value: number, operation: Operation, span: Span): void {
    const rank = operation.errorType === undefined ? value : value + FAILED;
    if (operation.endMs < this.untilMs && rank <= (this.ranks[bucket] as number)) return;
    this.consider(bucket, value, rank, operation.endMs, span);
  }

  private consider(bucket: number, value: number, rank: number, endMs: number, span: Span): void {
    if (!isExported(span)) return;
    const { traceId, spanId } = span.spanContext();
    if (endMs >= this.untilMs) {
      this.ranks.fill(LOWEST);
      this.untilMs = endMs + STAYS_MS;
    }
    this.ranks[bucket] = rank;
    this.endsMs[bucket] = endMs;
    this.kept[bucket] = { value, timestamp: toHrTime(epochOriginMs(endMs) + endMs), traceId, spanId };
  }

  /** Those since a time, by rising value. */
  list(sinceMs: number): readonly Exemplar[] {
    const result: Exemplar[] = [];
    for (const [bucket, one] of this.kept.entries()) {
      if (one !== undefined && (this.endsMs[bucket] as number) >= sinceMs) result.push(one);
    }
    return result;
  }
}

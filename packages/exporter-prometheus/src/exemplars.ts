import type { HrTime } from "@opentelemetry/api";

/** A measurement with its trace, as points may carry it in `exemplars`. */
export interface Exemplar {
  readonly value: number;
  readonly timestamp: HrTime;
  readonly traceId: string;
  readonly spanId: string;
}

/** For each bucket (one more than boundaries) the greatest exemplar that lies in it; undefined where there is none at all. */
export function placeExemplars(
  exemplars: readonly Exemplar[] | undefined,
  boundaries: readonly number[],
): readonly (Exemplar | undefined)[] | undefined {
  if (exemplars === undefined || exemplars.length === 0) return undefined;
  const placed: (Exemplar | undefined)[] = [];
  for (const exemplar of exemplars) {
    if (!isWritable(exemplar)) continue;
    const bucket = bucketOf(exemplar.value, boundaries);
    const before = placed[bucket];
    if (before === undefined || exemplar.value > before.value) placed[bucket] = exemplar;
  }
  return placed;
}

/** Of bounds that are equal the last is written, and the infinite one is the bucket after all of them. */
function bucketOf(value: number, boundaries: readonly number[]): number {
  const found = boundaries.findIndex((bound, n) => value <= bound && bound !== boundaries[n + 1] && bound !== Infinity);
  return found === -1 ? boundaries.length : found;
}

/** The exemplar of a counter: the last that was taken. */
export function lastExemplar(exemplars: readonly Exemplar[] | undefined): Exemplar | undefined {
  return exemplars?.findLast(isWritable);
}

/** With ids of the right length an exemplar's labels have 63 characters; OpenMetrics allows 128. */
function isWritable({ value, timestamp: [seconds, nanos], traceId, spanId }: Exemplar): boolean {
  if (Number.isNaN(value) || !Number.isSafeInteger(seconds) || !(nanos >= 0 && nanos < 1e9)) return false;
  return /^[0-9a-f]{32}$/.test(traceId) && /^[0-9a-f]{16}$/.test(spanId);
}

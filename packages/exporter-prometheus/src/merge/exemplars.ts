import type { Exemplar } from "../exemplars.js";

const NONE: readonly Exemplar[] = [];

/** The exemplars of a point, where it has any. */
export function exemplarsOf(point: object): readonly Exemplar[] {
  return "exemplars" in point && Array.isArray(point.exemplars) ? (point.exemplars as readonly Exemplar[]) : NONE;
}

/** Ids of W3C, which are sent as bytes. */
export function canBeTold({ traceId, spanId }: Exemplar): boolean {
  return traceId.length === 32 && spanId.length === 16;
}

/** Of two for one bucket the newer. */
export function newerOf(one: Exemplar | undefined, other: Exemplar | undefined): Exemplar | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  const [seconds, nanoseconds] = one.timestamp;
  const [otherSeconds, otherNanoseconds] = other.timestamp;
  return otherSeconds > seconds || (otherSeconds === seconds && otherNanoseconds > nanoseconds) ? other : one;
}

/** The bucket of a value: the bound that it does not exceed. */
export function bucketOf(value: number, bounds: readonly number[]): number {
  let bucket = 0;
  while (bucket < bounds.length && value > (bounds[bucket] as number)) bucket++;
  return bucket;
}

import type { Attributes, HrTime } from "@opentelemetry/api";
import type { DataPoint } from "@opentelemetry/sdk-metrics";
import type { Exemplar } from "./exemplars.js";
import type { Reading } from "./reading.js";
import { toHrTime } from "./time.js";

/** One series of a counter, up-down counter or gauge: whoever records keeps it and changes `value`. */
export class NumberSeries {
  readonly attributes: Attributes;
  readonly startTime: HrTime;
  value = 0;
  /** The last of what was counted whose trace was recorded. */
  exemplar: Exemplar | undefined = undefined;
  /** What each reader of deltas saw last. */
  private seen: number[] | undefined = undefined;

  constructor(attributes: Attributes, startTime: HrTime = toHrTime(Date.now())) {
    this.attributes = attributes;
    this.startTime = startTime;
  }

  total({ now }: Reading): DataPoint<number> {
    return new NumberPoint(this.attributes, this.startTime, now, this.value, this.exemplar);
  }

  /** What was added since the reader read; undefined for nothing. */
  added({ reader, now, before = this.startTime }: Reading): DataPoint<number> | undefined {
    this.seen ??= [];
    const added = this.value - (this.seen[reader] ?? 0);
    if (added === 0) return undefined;
    this.seen[reader] = this.value;
    const { exemplar } = this;
    const isNew = exemplar !== undefined && !isEarlier(exemplar.timestamp, before);
    return new NumberPoint(this.attributes, before, now, added, isNew ? exemplar : undefined);
  }
}

/** A point of a counter as readers get it: the SDK's own, with one property more, which the SDK's exporters pass over. */
export interface NumberDataPoint extends DataPoint<number> {
  readonly exemplars: readonly Exemplar[];
}

const NO_EXEMPLARS: readonly Exemplar[] = [];

/** Made by a constructor and not as a literal, which V8 would come to make in old space: a page's worth at every collection. */
class NumberPoint implements NumberDataPoint {
  readonly attributes: Attributes;
  readonly startTime: HrTime;
  readonly endTime: HrTime;
  readonly value: number;
  readonly exemplars: readonly Exemplar[];

  constructor(
    attributes: Attributes,
    startTime: HrTime,
    endTime: HrTime,
    value: number,
    exemplar: Exemplar | undefined,
  ) {
    this.attributes = attributes;
    this.startTime = startTime;
    this.endTime = endTime;
    this.value = value;
    this.exemplars = exemplar === undefined ? NO_EXEMPLARS : [exemplar];
  }
}

function isEarlier([seconds, nanoseconds]: HrTime, [thanSeconds, thanNanoseconds]: HrTime): boolean {
  return seconds === thanSeconds ? nanoseconds < thanNanoseconds : seconds < thanSeconds;
}

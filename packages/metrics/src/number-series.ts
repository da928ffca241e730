import type { Attributes, HrTime } from "@opentelemetry/api";
import type { DataPoint } from "@opentelemetry/sdk-metrics";
import type { Reading } from "./reading.js";
import { toHrTime } from "./time.js";

/** One series of a counter, up-down counter or gauge: whoever records keeps it and changes `value`. */
export class NumberSeries {
  readonly attributes: Attributes;
  readonly startTime: HrTime;
  value = 0;
  /** What each reader of deltas saw last. */
  private seen: number[] | undefined = undefined;

  constructor(attributes: Attributes, startTime: HrTime = toHrTime(Date.now())) {
    this.attributes = attributes;
    this.startTime = startTime;
  }

  total({ now }: Reading): DataPoint<number> {
    return new NumberPoint(this.attributes, this.startTime, now, this.value);
  }

  /** What was added since the reader read; undefined for nothing. */
  added({ reader, now, before = this.startTime }: Reading): DataPoint<number> | undefined {
    this.seen ??= [];
    const added = this.value - (this.seen[reader] ?? 0);
    if (added === 0) return undefined;
    this.seen[reader] = this.value;
    return new NumberPoint(this.attributes, before, now, added);
  }
}

/** Made by a constructor and not as a literal, which V8 would come to make in old space: a page's worth at every collection. */
class NumberPoint implements DataPoint<number> {
  readonly attributes: Attributes;
  readonly startTime: HrTime;
  readonly endTime: HrTime;
  readonly value: number;

  constructor(attributes: Attributes, startTime: HrTime, endTime: HrTime, value: number) {
    this.attributes = attributes;
    this.startTime = startTime;
    this.endTime = endTime;
    this.value = value;
  }
}

import { performance } from "node:perf_hooks";
import type { HrTime, TimeInput } from "@opentelemetry/api";
import { epochOriginMs } from "@telltale/core";

/**
 * A moment of this process, in ms as `performance.now()` has it, or a moment that the app named. The first kind needs no object, and
 * its epoch is added when it is written.
 */
export type Moment = number | HrTime;

/** As the SDK reads it: small numbers are `performance.now()`, large ones ms since the epoch; what is no time is now. */
export function momentOf(time: TimeInput | undefined): Moment {
  const now = performance.now();
  if (time === undefined) return now;
  if (typeof time === "number") return time <= now && time > -Infinity ? time : (epochMoment(time) ?? now);
  try {
    if (time instanceof Date) return epochMoment(time.getTime()) ?? now;
    if (!isHrTime(time)) return now;
    // A copy: what the app does to its array later is nobody's time.
    const moment: HrTime = [time[0], time[1]];
    return isHrTime(moment) && Number.isFinite(moment[0] + moment[1]) ? moment : now;
  } catch {
    // A revoked proxy throws even when it is asked what it is.
    return now;
  }
}

function epochMoment(epochMs: number): HrTime | undefined {
  return Number.isFinite(epochMs) ? toHrTime(epochMs) : undefined;
}

export function isTimeInput(value: unknown): value is TimeInput {
  if (typeof value === "number") return true;
  try {
    return value instanceof Date || isHrTime(value);
  } catch {
    return false;
  }
}

function isHrTime(value: unknown): value is HrTime {
  return Array.isArray(value) && value.length === 2 && typeof value[0] === "number" && typeof value[1] === "number";
}

/** Milliseconds since the epoch as seconds and nanoseconds. */
function toHrTime(epochMs: number): HrTime {
  return [Math.trunc(epochMs / 1000), Math.round((epochMs % 1000) * 1e6)];
}

/** A moment as the API shows it. */
export function hrTimeOf(moment: Moment): HrTime {
  if (typeof moment !== "number") return moment;
  const origin = epochOriginMs();
  const seconds = Math.trunc(origin / 1000) + Math.trunc(moment / 1000);
  const nanos = Math.round((origin % 1000) * 1e6) + Math.round((moment % 1000) * 1e6);
  const carry = Math.floor(nanos / 1e9);
  return [seconds + carry, nanos - carry * 1e9];
}

/** Seconds and nanoseconds from one moment to another; the seconds are negative when the second one is earlier. */
export function durationOf(from: Moment, to: Moment): HrTime {
  const [fromSeconds, fromNanos] = hrTimeOf(from);
  const [toSeconds, toNanos] = hrTimeOf(to);
  const nanos = toNanos - fromNanos;
  return nanos < 0 ? [toSeconds - fromSeconds - 1, nanos + 1e9] : [toSeconds - fromSeconds, nanos];
}

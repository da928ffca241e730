import type { HrTime } from "@opentelemetry/api";

/** One collection by one reader. */
export interface Reading {
  /** The place of the reader in what each series remembers of the readers that want deltas. */
  readonly reader: number;
  readonly now: HrTime;
  /** When the same reader read before; undefined the first time. */
  readonly before: HrTime | undefined;
  /** The same as `performance.now()`, by which operations are timed. */
  readonly beforeMs: number;
}

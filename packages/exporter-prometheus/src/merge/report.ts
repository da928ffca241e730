import type { Attributes, HrTime } from "@opentelemetry/api";
import type { ExponentialHistogram } from "@opentelemetry/sdk-metrics";

/** How the values of several processes become one is decided by this, and for gauges by `gauge-rules.ts`. */
export type MetricKind = "counter" | "updowncounter" | "gauge" | "histogram" | "exponential";

/** A metric, told once per connection. */
export interface MetricHead {
  readonly id: number;
  readonly scope: { readonly name: string; readonly version?: string; readonly schemaUrl?: string };
  readonly name: string;
  readonly description: string;
  readonly unit: string;
  readonly valueType: number;
  readonly kind: MetricKind;
  /** Of histograms with fixed buckets. */
  readonly bounds?: readonly number[];
}

/** A series, told once per connection; afterwards its number stands for it, until it is retired. */
export type SeriesHead = readonly [id: number, metric: number, attributes: Attributes, startTime: HrTime];

/**
 * What changed since the report before: values as they are now, not what was added, so that whatever is lost on the way heals with the
 * next one. The numbers that go with it are, one series after the other:
 * - `id, value, rest` of an up-down counter or gauge; of an exponential histogram the sum
 * - `id, value, rest, m, m × exemplar` of a counter
 * - `id, sum, rest, n, n × (bucket, count), m, m × exemplar` of a histogram, with the buckets that changed; no sum is NaN
 * - `-1 - id` of a series that is no more
 */
export interface Report {
  readonly metrics: readonly MetricHead[];
  readonly series: readonly SeriesHead[];
  /** Exponential histograms, which are rare. */
  readonly exponential: readonly (readonly [id: number, value: ExponentialHistogram])[];
}

export interface ReportFrame {
  readonly report: Report;
  readonly words: Float64Array;
}

/**
 * What processes tell each other, over two connections: on one a process speaks to the one that serves, on the other it listens. Whoever
 * writes to a process that has just ended gets an error, and Node then throws away what that one said last and nobody has read; so
 * nobody writes where it listens, but for the one word that each connection begins with, before anything can be lost.
 */
export type Message =
  /**
   * A process, or thread, introduces itself: `source` is this conversation, `member` is who has it, each time. `parent` is that of a
   * cluster worker, which dies with it; `canServe` is false for threads.
   */
  | {
      readonly is: "hello";
      readonly source: string;
      readonly member: string;
      readonly pid: number;
      readonly parent: number | undefined;
      readonly canServe: boolean;
    }
  /** The only answer to what is said on that connection. */
  | { readonly is: "welcome"; readonly url: string; readonly pid: number }
  /** The only thing said on the connection on which `source` listens: to what follows. */
  | { readonly is: "listen"; readonly source: string }
  | { readonly is: "ask"; readonly n: number }
  | { readonly is: "report"; readonly report: Report }
  /** The report is complete; it answers `ask` n, or none (0). */
  | { readonly is: "done"; readonly n: number }
  /** Asks for what the other has of the page beside the metrics, and the answer. */
  | { readonly is: "want"; readonly n: number }
  | { readonly is: "part"; readonly n: number; readonly part: string | undefined }
  /** To the heir, all that happens to the ledger. */
  | { readonly is: "entry"; readonly entry: LedgerEntry };

/** What can happen to a ledger. A source that it does not know is none of its business. */
export type LedgerEntry =
  /** Begins anew. */
  | { readonly op: "clear" }
  /** A member begins to report from scratch; until its first report is complete, what it said before holds. */
  | { readonly op: "join"; readonly source: string; readonly member: string; readonly slot: number }
  | { readonly op: "report"; readonly source: string; readonly report: Report }
  | { readonly op: "complete"; readonly source: string }
  /** It does not live any more, or will be back in a moment. */
  | { readonly op: "gone"; readonly source: string }
  /** It will not be back: what it counted belongs to nobody in particular. */
  | { readonly op: "fold"; readonly source: string };

/** Numbers that an exemplar takes: value, time in ms, 16 bytes of trace id, 8 of span id. */
export const EXEMPLAR_WORDS = 5;

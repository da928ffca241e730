import type { CallSite, FindingKind, FindingSeverity, Why } from "@telltale/core";
import type { QueryCost } from "@telltale/insights";

/** Where findings are read, beside the metrics. */
export const FINDINGS_PATH = "/findings";
/** Changes when what is written there is no longer what it was. */
export const FORMAT = 1;

/** A finding as JSON; what does not apply is left out. Times are of the wall clock, as ISO 8601. */
export interface ShownFinding {
  readonly id: string;
  readonly kind: FindingKind;
  readonly severity: FindingSeverity;
  readonly title: string;
  readonly cause: string;
  readonly advice: string;
  readonly page: string;
  readonly endpoint?: string | undefined;
  readonly route?: string | undefined;
  readonly subject?: string | undefined;
  readonly system?: string | undefined;
  readonly namespace?: string | undefined;
  readonly querySummary?: string | undefined;
  readonly queryText?: string | undefined;
  readonly fingerprint?: string | undefined;
  readonly count: number;
  readonly firstSeen: string;
  readonly lastSeen: string;
  readonly lostMs: number;
  readonly calls?: number | undefined;
  readonly durationMs: number;
  readonly waitMs: number;
  readonly againstMs: number;
  readonly reason?: string | undefined;
  readonly why?: Why | undefined;
  readonly evidence?: Readonly<Record<string, string | number | boolean>> | undefined;
  readonly callSite?: CallSite | undefined;
  readonly plan?: string | undefined;
  readonly accepted: boolean;
  readonly traceId?: string | undefined;
  readonly spanId?: string | undefined;
  readonly sampled: boolean;
}

/** What one process has to show. */
export interface FindingsPart {
  /** When it began to look. */
  readonly since: string;
  readonly findings: readonly ShownFinding[];
  readonly queries: readonly QueryCost[];
  /** How many there are of both, shown or not, and the time of all calls of all query shapes in ms. */
  readonly totals: { readonly findings: number; readonly queries: number; readonly queriesMs: number };
}

/** What `/findings` answers: those that cost most first. */
export interface FindingsPage extends FindingsPart {
  readonly telltale: "findings";
  readonly format: typeof FORMAT;
  readonly version: string;
  readonly service: string;
  readonly time: string;
  /** Processes and threads whose findings these are, and how many more did not answer. */
  readonly processes: number;
  readonly silent: number;
}

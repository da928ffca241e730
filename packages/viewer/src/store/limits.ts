/** What is kept at most; the oldest goes first. */
export interface StoreLimits {
  /** Rows. Default 500,000. */
  readonly spans: number;
  /** Rows. Default 200,000. */
  readonly logs: number;
  /** Rows. Default 500,000. */
  readonly points: number;
  /** Of metrics, in all processes; points of further ones are dropped. Default 50,000. */
  readonly series: number;
  /** Processes, as their resources tell them apart; what further ones send is dropped. Default 10,000. */
  readonly resources: number;
  /** In all processes. Default 5,000. */
  readonly findings: number;
  /** Of the database. Default 512 MB. */
  readonly bytes: number;
}

export const DEFAULT_LIMITS: StoreLimits = {
  spans: 500_000,
  logs: 200_000,
  points: 500_000,
  series: 50_000,
  resources: 10_000,
  findings: 5_000,
  bytes: 512 * 1024 * 1024,
};

/** Characters of one text; a long stack trace has 10,000. */
export const MAX_TEXT = 32_768;
/** Of a name: of a span, a scope, an attribute. */
export const MAX_NAME = 1_024;
/** Characters of all attributes, events and links of one row, as JSON. */
export const MAX_ROW = 262_144;
/** The same of a resource or a series: both are looked up by them. */
export const MAX_IDENTITY = 32_768;

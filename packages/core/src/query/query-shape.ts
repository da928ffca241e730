/** What a query is, whatever its literals. */
export interface QueryShape {
  /**
   * `db.query.text`: the query with every literal replaced by `?`, comments gone, white space folded; at most 10,000 characters, the
   * last of them `…` where it is not the whole query.
   */
  readonly queryText: string;
  /** The query is longer than what was read of it, or than its text here. */
  readonly isCut: boolean;
  /** `db.query.summary`, at most 255 characters: `SELECT orders`, `INSERT users SELECT accounts`. */
  readonly summary: string;
  /** First operation, upper case: `SELECT`. */
  readonly operationName: string | undefined;
  /** The one table that the query touches; undefined for none or several. */
  readonly collection: string | undefined;
  /** 16 hex digits; equal exactly for queries of one shape. */
  readonly fingerprint: string;
  readonly effect: "read" | "write" | "control";
  /** Asks for several values at once: an `IN` list or array of two or more, `= ANY (…)`; `"array"`: as many as the array bound to `= ANY ($1)` has. */
  readonly batch: boolean | "array";
}

/** Grammar differences that matter to literals and quotes. */
export type SqlDialect = "postgresql" | "mysql" | "sqlite" | "mssql";

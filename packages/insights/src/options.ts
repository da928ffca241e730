import type { KnownFinding } from "@telltale/core";

/** Thresholds and exceptions; every field has a default. */
export interface InsightsOptions {
  /** Queries slower than this are findings, in ms; 0 turns slow queries off. Default 100. */
  readonly slowQueryMs?: number;
  readonly slowQueries?: {
    /** Thresholds in ms by `db.system.name`, stronger than `slowQueryMs`. */
    readonly bySystem?: Readonly<Record<string, number>>;
    /** Thresholds in ms by `db.query.summary`, stronger than `bySystem`. */
    readonly bySummary?: Readonly<Record<string, number>>;
    /** Whether calls are also held against what calls of their shape usually take. Default true. */
    readonly baseline?: boolean;
  };
  readonly eventLoop?: {
    /** Work that keeps the event loop so long is a finding, in ms; 0 leaves the event loop alone. Default 50. */
    readonly blockMs?: number;
    /**
     * Whether, after such a finding, V8's CPU profiler runs until the next one (10 s at most, once a minute), to say which function it was. It
     * makes the app a few per cent slower meanwhile. Default false.
     */
    readonly profile?: boolean;
  };
  readonly nPlusOne?: {
    /** Calls of one shape in one request that make a finding. Default 5. */
    readonly minCount?: number;
    /** Time they must take together, in ms … Default 20. */
    readonly minTotalMs?: number;
    /** … or their share of the request. Default 0.2. */
    readonly minShare?: number;
    /** Routes (`/orders/:id`) in which repeated queries are meant. */
    readonly ignoreRoutes?: readonly string[];
    /** Fingerprints that may repeat. */
    readonly ignoreFingerprints?: readonly string[];
  };
  readonly pools?: PoolOptions;
  /** Findings that are accepted for now: they are marked so, for others to leave them alone. */
  readonly knownFindings?: readonly KnownFinding[];
  readonly cacheFindings?: CacheFindingOptions;
}

/** When the use of a cache is a finding. */
export interface CacheFindingOptions {
  /** A kind of keys that hits less in two windows running, 0 to 1, from the second window on. Default 0.5. */
  readonly minHitRatio?: number;
  /** Lookups that a window must have; one that has fewer goes on; 0 turns hit ratios off. Default 500. */
  readonly minLookups?: number;
  /** The length of a window, in ms. Default 60,000. */
  readonly windowMs?: number;
  /** Keys that one request misses, which is then slow for it; 0 turns it off. Default 10. */
  readonly minMisses?: number;
  /** Requests that miss one key at the same time and run the same query for it; 0 turns it off. Default 5. */
  readonly minStampede?: number;
  /** Writes of a kind of keys that nobody reads … Default 1,000. */
  readonly minWrites?: number;
  /** … for so long, in ms; 0 turns it off. Default 600,000. */
  readonly neverReadMs?: number;
  /** Names of caches (`telltale.cache.name`) of which nothing is to be told. */
  readonly ignoreCaches?: readonly string[];
}

/** When the holders of pooled connections are findings. A time-out of a pool always is one. */
export interface PoolOptions {
  /** Waits for a connection longer than this, in ms; 0 turns them off. Default 100. */
  readonly waitMs?: number;
  /** Connections held so long without a query, in ms; 0 turns it off. Default 30,000. */
  readonly idleMs?: number;
  /** The same, counted from the end of the request that took the connection. Default 5,000. */
  readonly afterRequestMs?: number;
  /** Names of pools (`db.client.connection.pool.name`) whose connections are held for long on purpose. */
  readonly ignorePools?: readonly string[];
  /** Routes (`/events/:id`) that hold a connection for long on purpose. */
  readonly ignoreRoutes?: readonly string[];
}

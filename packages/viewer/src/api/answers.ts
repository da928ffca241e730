// What `GET /api/…` answers, as JSON. Times are milliseconds since the epoch, durations milliseconds, both with fractions; where nothing is
// known, null. All texts are as they came over the wire, from whoever sent them: a page must never take them for markup.

export type Value = string | number | boolean | null | readonly Value[] | { readonly [key: string]: Value };
export type AttributeMap = Readonly<Record<string, Value>>;

/** `GET /api/status` */
export interface Status {
  readonly version: string;
  readonly startedMs: number;
  /** The database's file; null in memory. */
  readonly file: string | null;
  /** Where telemetry is to be sent: the base URL for `OTEL_EXPORTER_OTLP_ENDPOINT`. */
  readonly otlpUrl: string;
  readonly spans: Kept;
  readonly logs: Kept;
  readonly points: Kept;
  /** Of all that is kept, and the limit. */
  readonly bytes: number;
  readonly maxBytes: number;
  /** Requests to the receiver that were refused (4xx), by reason. */
  readonly refused: Readonly<Record<string, number>>;
  /** Texts and lists that were longer than is kept, and of which the beginning is. */
  readonly cuts: number;
  readonly findingsForgotten: number;
  readonly sources: readonly Source[];
}

export interface Kept {
  readonly received: number;
  readonly held: number;
  readonly maxHeld: number;
  /** Gone because newer ones needed the room. */
  readonly forgotten: number;
  /** Never kept: nothing could be read of them, or they came faster than they can be written. */
  readonly dropped: number;
}

/** A process that has sent something. */
export interface Source {
  readonly service: string;
  readonly instance: string;
  readonly language: string | null;
  readonly lastMs: number;
}

/** Numbers over time, one per step from `fromMs` on; null where there is none. */
export interface Steps {
  readonly fromMs: number;
  readonly stepMs: number;
  readonly values: readonly (number | null)[];
}

/** `GET /api/now?minutes=5&service=` : the last minutes. */
export interface Now {
  readonly fromMs: number;
  readonly toMs: number;
  /** Busiest first (by time spent). */
  readonly routes: readonly RouteNow[];
  /** The worst that is not muted, at most five. */
  readonly findings: readonly FindingItem[];
  readonly processes: readonly ProcessNow[];
}

export interface RouteNow {
  readonly service: string;
  readonly route: string;
  readonly requests: number;
  readonly perSecond: number;
  readonly errors: number;
  readonly totalMs: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
  readonly rate: Steps;
  readonly p95: Steps;
  readonly errorRate: Steps;
}

/** From its metrics: `nodejs.eventloop.*`, `process.*`, `v8js.*` */
export interface ProcessNow {
  readonly service: string;
  readonly instance: string;
  readonly loopDelayP99Ms: Steps;
  /** 0 to 1. */
  readonly loopUtilization: Steps;
  readonly heapUsedBytes: Steps;
  readonly rssBytes: Steps;
  /** Of one processor, 0 to its number. */
  readonly cpu: Steps;
}

/**
 * `GET /api/requests?service=&route=&status=&slower=&finding=&text=&before=&limit=100`, newest first. `status`: `2xx`, `404`, `error`;
 * `slower` in ms; `finding`: a kind, or `any`; `text`: in names, routes, queries, attributes of the trace; `before`: the `next` of the answer before.
 */
export interface Requests {
  readonly requests: readonly RequestItem[];
  /** For `before`; null when there are no more. A search ends after 120 ms: then there may be fewer than `limit`, and this says where it goes on. */
  readonly next: string | null;
  readonly services: readonly string[];
  readonly routes: readonly string[];
}

export interface RequestItem {
  readonly traceId: string;
  readonly spanId: string;
  readonly service: string;
  /** `GET /orders/:id`, or the span's name. */
  readonly route: string;
  readonly name: string;
  /** Path and query as they were asked for, where known. */
  readonly target: string | null;
  readonly status: number | null;
  readonly isError: boolean;
  readonly startMs: number;
  readonly durationMs: number;
  readonly did: Did;
  /** Kinds of findings on spans of the request. */
  readonly findings: readonly string[];
}

/**
 * What a request did: the spans below it in its service, without those below another request, which are that one's. BEGIN, COMMIT, SET and
 * their like are no queries, nor are the commands of a cache. Of a trace with more than 100,000 spans, those that came last.
 */
export interface Did {
  readonly spans: number;
  readonly queries: number;
  readonly queryMs: number;
  readonly cacheHits: number;
  readonly cacheMisses: number;
  readonly httpCalls: number;
}

/** `GET /api/trace/:traceId` ; 404 when it is not kept. */
export interface Trace {
  readonly traceId: string;
  readonly startMs: number;
  readonly durationMs: number;
  readonly services: readonly string[];
  /** Parents before children, brothers by start; at most `MAX_TRACE_SPANS` (10,000), `leftOut` more are kept. Cycles are cut, orphans are roots. */
  readonly spans: readonly TraceSpan[];
  readonly leftOut: number;
  readonly logs: readonly TraceLog[];
  readonly findings: readonly FindingItem[];
  /** Other traces with the same service and route, newest first, at most 20, to compare with. */
  readonly alike: readonly RequestItem[];
}

export interface TraceSpan {
  readonly spanId: string;
  /** Index into `spans`; -1 for a root. */
  readonly parent: number;
  readonly depth: number;
  /** The parent was named and never came. */
  readonly isOrphan: boolean;
  readonly service: string;
  readonly scope: string;
  readonly name: string;
  readonly kind: "unspecified" | "internal" | "server" | "client" | "producer" | "consumer";
  /** From the trace's start; moved into its parent where clocks disagree, by `skewMs` (0 for most). */
  readonly startMs: number;
  readonly skewMs: number;
  readonly durationMs: number;
  /** Of its duration, that no child was running in. */
  readonly selfMs: number;
  readonly isCritical: boolean;
  readonly status: "unset" | "ok" | "error";
  readonly statusMessage: string;
  /** Of its beginning, waiting for a pooled connection (`telltale.pool.wait_ms`); 0 where it did not. */
  readonly poolWaitMs: number;
  /** Of its end, kept by the event loop; 0 where it was not. */
  readonly loopDelayMs: number;
  /** Brothers with one value here are alike (same name, query and kind): 25 × SELECT …; null where there are no others. */
  readonly group: string | null;
  readonly finding: string | null;
  readonly attributes: AttributeMap;
  /** Times from the trace's start. */
  readonly events: readonly { readonly name: string; readonly timeMs: number; readonly attributes: AttributeMap }[];
  readonly links: readonly { readonly traceId: string; readonly spanId: string; readonly attributes: AttributeMap }[];
}

export interface TraceLog {
  /** From the trace's start. */
  readonly timeMs: number;
  readonly spanId: string | null;
  readonly severity: string;
  readonly eventName: string;
  readonly body: string;
  readonly attributes: AttributeMap;
}

/** `GET /api/queries?minutes=15&service=&sort=total|calls|mean|p95` */
export interface Queries {
  readonly fromMs: number;
  readonly toMs: number;
  readonly totalMs: number;
  readonly queries: readonly QueryItem[];
}

export interface QueryItem {
  readonly fingerprint: string;
  readonly system: string;
  readonly namespace: string | null;
  readonly summary: string;
  readonly text: string | null;
  readonly calls: number;
  readonly errors: number;
  readonly totalMs: number;
  /** 0 to 1, of the time of all queries. */
  readonly share: number;
  readonly meanMs: number;
  readonly p95Ms: number;
  readonly maxMs: number;
  /** Mean rows returned or affected; null where nobody said. */
  readonly rows: number | null;
  /** Calls told as slow. */
  readonly slow: number;
}

/** `GET /api/query/:fingerprint?minutes=15` */
export interface QueryDetail {
  readonly query: QueryItem;
  /** Of the newest 5,000 calls. */
  readonly callers: readonly {
    readonly service: string;
    /** Empty where no request is known. */
    readonly route: string;
    readonly calls: number;
    readonly totalMs: number;
    /** 0 where no request is known. */
    readonly perRequest: number;
  }[];
  readonly sites: readonly { readonly site: string; readonly calls: number }[];
  /** The mean of each step, in ms. */
  readonly durations: Steps;
  /** The last plan that a finding brought. */
  readonly plan: string | null;
  readonly findings: readonly FindingItem[];
  /** Slowest, and some typical ones. */
  readonly examples: readonly {
    readonly traceId: string;
    readonly spanId: string;
    readonly startMs: number;
    readonly durationMs: number;
    readonly isSlowest: boolean;
  }[];
}

/** `GET /api/caches?minutes=15&service=` */
export interface Caches {
  readonly fromMs: number;
  readonly toMs: number;
  readonly caches: readonly CacheItem[];
}

export interface CacheItem {
  readonly service: string;
  readonly cache: string;
  readonly hits: number;
  readonly misses: number;
  /** 0 to 1; null without lookups. */
  readonly hitRatio: number | null;
  readonly hitRatios: Steps;
  readonly lookups: Steps;
  /** Mean of those requests among the newest 20,000 spans that looked it up. */
  readonly missesPerRequest: number | null;
  /** Most looked up first: commands and patterns of keys as spans tell them, where they do. */
  readonly patterns: readonly {
    readonly pattern: string;
    readonly lookups: number;
    /** Null where spans do not tell. */
    readonly misses: number | null;
  }[];
  readonly findings: readonly FindingItem[];
}

/** `GET /api/pools?minutes=15&service=` */
export interface Pools {
  readonly fromMs: number;
  readonly toMs: number;
  readonly pools: readonly PoolItem[];
}

export interface PoolItem {
  readonly service: string;
  readonly instance: string;
  readonly pool: string;
  readonly system: string | null;
  readonly limit: number | null;
  /** The most of each step, as are those that wait: a full pool is mostly free again when one ends. */
  readonly used: Steps;
  /** At the end of each step. */
  readonly idle: Steps;
  readonly pending: Steps;
  readonly waits: { readonly count: number; readonly p50Ms: number; readonly p95Ms: number; readonly maxMs: number };
  readonly timeouts: number;
  /** Who held its connections, as findings and the newest 20,000 spans tell: most time first; an empty route where no request is known. */
  readonly holders: readonly { readonly route: string; readonly heldMs: number; readonly calls: number }[];
  readonly findings: readonly FindingItem[];
}

/** `GET /api/findings?service=&kind=&muted=` (muted ones are left out unless `muted=true`), worst first. */
export interface Findings {
  readonly findings: readonly FindingItem[];
  readonly muted: number;
}

/** `POST /api/findings/:id/mute` with `{"muted": true}` answers the finding. */
export interface FindingItem {
  readonly id: string;
  readonly service: string;
  readonly kind: string;
  readonly severity: "info" | "warning" | "error";
  readonly title: string;
  readonly cause: string | null;
  readonly advice: string | null;
  readonly endpoint: string | null;
  readonly summary: string | null;
  readonly queryText: string | null;
  readonly fingerprint: string | null;
  /** How often, in all processes. */
  readonly count: number;
  readonly lostMs: number | null;
  readonly firstMs: number;
  readonly lastMs: number;
  /** Null where it leads nowhere: not sampled, or no longer kept. */
  readonly traceId: string | null;
  readonly site: string | null;
  readonly plan: string | null;
  /** All else that the event told. */
  readonly evidence: AttributeMap;
  readonly isAccepted: boolean;
  readonly isMuted: boolean;
}

/** `GET /api/metrics?service=&text=` */
export interface Instruments {
  readonly instruments: readonly Instrument[];
}

export interface Instrument {
  readonly name: string;
  readonly description: string;
  readonly unit: string;
  readonly kind: "gauge" | "sum" | "histogram" | "exponential_histogram" | "summary";
  readonly isMonotonic: boolean;
  readonly services: readonly string[];
  readonly series: number;
  readonly hasExemplars: boolean;
}

/**
 * `GET /api/metric/:name?minutes=15&service=&by=http.route` : one line per value of the attribute `by` (all together without one), at most 20,
 * the largest; sums and histograms of several series are added up, of gauges it is the mean; `leftOut` more. Monotonic sums are rates per second; of histograms, p50, p95, p99 and the rate.
 */
export interface MetricData {
  readonly instrument: Instrument;
  readonly fromMs: number;
  readonly toMs: number;
  /** Names of attributes to choose `by` from. */
  readonly attributes: readonly string[];
  readonly lines: readonly MetricLine[];
  readonly leftOut: number;
  readonly exemplars: readonly {
    readonly timeMs: number;
    readonly value: number;
    readonly traceId: string;
    readonly isKept: boolean;
  }[];
}

export interface MetricLine {
  readonly label: string;
  readonly values: Steps;
  readonly p50?: Steps;
  readonly p95?: Steps;
  readonly p99?: Steps;
}

/** `GET /api/live`: server-sent events, at most one a second, named `change`, this as data; `kinds` says what has come. */
export interface Change {
  readonly kinds: readonly ("spans" | "logs" | "metrics" | "findings")[];
  readonly spans: number;
}

/** Any 4xx or 5xx. */
export interface Problem {
  /** What was expected, what came, what to do. */
  readonly error: string;
}

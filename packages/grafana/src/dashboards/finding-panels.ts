import type { FindingKind } from "@telltale/core";

/** What a dashboard says of one kind of finding. */
export interface FindingPanel {
  readonly title: string;
  readonly shows: string;
  readonly otherwise: string;
}

/** Every kind has a figure, also one that is new: the compiler asks for it. */
export const FINDING_PANELS: Readonly<Record<FindingKind, FindingPanel>> = {
  n_plus_one: {
    title: "N+1",
    shows: "Requests in the chosen time that ran one query again and again with other parameters.",
    otherwise: "Read the rows for all keys in one query. The table says which route, its traces which query.",
  },
  slow_query: {
    title: "Slow queries",
    shows: "Calls in the chosen time that took longer than slowQueryMs (100 ms unless you set it), or than usual.",
    otherwise: "Slow queries by query names them: look at their plans, an index is missing most often.",
  },
  duplicate_query: {
    title: "Duplicate queries",
    shows: "Requests in the chosen time that ran one query again and again with the same parameters.",
    otherwise: "Read it once for each request and pass it on, or cache it.",
  },
  event_loop_blocked: {
    title: "Event loop blocked",
    shows:
      "Times in the chosen time that work in the process let nothing else run for eventLoop.blockMs (50 ms unless you set it).",
    otherwise: "Divide the work into steps, or move it to a worker thread. The table says which route.",
  },
  repeated_http_call: {
    title: "Repeated HTTP calls",
    shows: "Requests in the chosen time that called another service again and again.",
    otherwise: "Ask for all at once where that service can answer so, for each thing once, and side by side.",
  },
  repeated_lookup: {
    title: "Repeated lookups",
    shows: "Requests in the chosen time that looked up keys of a cache one by one, or the same ones again and again.",
    otherwise: "Look all of them up in one call (MGET, a pipeline), and keep the answer for the rest of the request.",
  },
  pool_starved: {
    title: "Pools that starved",
    shows: "Times in the chosen time that somebody waited for a connection that others held.",
    otherwise:
      "The finding names who held them, and with what. Give back earlier, make that faster, or raise the limit; see Pools.",
  },
  pool_timeout: {
    title: "Pool time-outs",
    shows: "Times in the chosen time that somebody waited for a connection in vain.",
    otherwise: "Each failed a request. The finding names who held the connections meanwhile; see Pools.",
  },
  connection_leak: {
    title: "Connection leaks",
    shows: "Connections in the chosen time that were held with nothing to do, or after their request had ended.",
    otherwise: "Call release() in a finally: an error on the way must not pass it by. The table says which route.",
  },
  cache_low_hit_ratio: {
    title: "Caches that miss",
    shows: "Times in the chosen time that keys of one form were looked up often and hit seldom.",
    otherwise: "See Caches: keys that never come back, a time to live that is too short, or memory that is full.",
  },
  cache_stampede: {
    title: "Cache stampedes",
    shows: "Times in the chosen time that many missed at once and then all asked the database the same.",
    otherwise: "Let one of them compute the value while the others wait for it, or renew it before it expires.",
  },
  cache_never_read: {
    title: "Written, never read",
    shows: "Times in the chosen time that keys of one form were written and nobody read them.",
    otherwise: "Do not write them, or look for the reader: one that spells the key in another way finds nothing.",
  },
};

/** Recorded series. They are ours, so their names are the same in every naming strategy. */

/** Requests per second. */
export const REQUESTS = "job:telltale_requests:rate5m";
/** Requests per second that count against an objective, by `slo`. */
export const REQUESTS_BAD = "job:telltale_requests_bad:rate5m";
/** The share of requests that may be bad, by `slo`. */
export const BUDGET = "job:telltale_budget:ratio";
/** Requests of a route per second, over an hour. */
export const ROUTE_REQUESTS = "job_route:telltale_requests:rate1h";
export const ROUTE_P99 = "job_route:telltale_request_duration_seconds:p99_1h";
export const DATABASE_MEAN = "job_system:telltale_database_call_duration_seconds:mean5m";
export const CACHE_HITS = "job_cache:telltale_cache_hits:ratio15m";
export const POOL_USED = "instance_pool:telltale_pool_used:ratio5m";
export const LOOP_ACTIVE = "instance:telltale_event_loop_active:ratio5m";
export const CPU = "instance:telltale_cpu:ratio5m";
export const HEAP_USED = "instance:telltale_heap_used:ratio";

/** Share of requests in so much time that count against an objective, by `slo`. */
export function requestsBad(window: string): string {
  return `job:telltale_requests_bad:ratio${window}`;
}

/** Series by name and labels, with their values in promtool's notation: one a minute, or one each five minutes where it takes a day. */
export type Series = Readonly<Record<string, string>>;

/** One alert under one load. */
export interface RuleTest {
  /** `alertname/severity`. */
  readonly alert: string;
  readonly title: string;
  readonly series: Series;
  /** When the alert is looked at, in minutes. */
  readonly at: number;
  /** Whether a day has to pass before. */
  readonly takesDay?: boolean;
  /** Its labels beside name, severity and job where it must fire; undefined where it must not. */
  readonly fires?: Readonly<Record<string, string>>;
}

const HOUR = 60;
const DAY = 24 * HOUR;
/** Samples of a day. */
const DAYLONG = 288;
/** Without a job: that is the test's own. */
const of = (name: string, labels: string): string => `${name}{${['instance="a:9464"', labels].filter(Boolean).join()}}`;
/** Grows by so much each minute. */
const grows = (by: number, minutes = 2 * HOUR): string => `0+${by}x${minutes}`;

/** Requests of one route per minute: all of them, those that fail, those that take at most so many seconds. */
function requests(
  all: number,
  { failed = 0, aborted = 0, upTo = {} as Readonly<Record<string, number>> } = {},
): Series {
  const name = "http_server_request_duration_seconds";
  const route = 'http_route="/orders"';
  const bounds = { "0.1": all, "0.25": all, "0.5": all, "1": all, ...upTo, "+Inf": all };
  return {
    [of(`${name}_count`, route)]: grows(all - failed - aborted),
    [of(`${name}_count`, `${route},error_type="500"`)]: grows(failed),
    [of(`${name}_count`, `${route},error_type="aborted"`)]: grows(aborted),
    ...Object.fromEntries(
      Object.entries(bounds).map(([le, held]) => [of(`${name}_bucket`, `${route},le="${le}"`), grows(held)]),
    ),
  };
}

const counted = (values: string): Series => ({
  [of("http_server_request_duration_seconds_count", 'http_route="/orders"')]: values,
});

const FAILURES = of("http_server_request_duration_seconds_count", 'http_route="/orders",error_type="500"');
/** Grows by one, stays for some minutes, and so on. */
const steps = (times: number, minutes: number): string =>
  Array.from({ length: times }, (_, n) => `${n}x${minutes}`).join(" ");

/** A day at 300 requests in 5 minutes, all within 100 ms, then some time of another kind. */
function dayThen(count: string, upTo100ms: string): Series {
  const bucket = (le: string) => of("http_server_request_duration_seconds_bucket", `http_route="/orders",le="${le}"`);
  return {
    ...counted(`0+300x${DAYLONG} ${count}`),
    [bucket("0.1")]: `0+300x${DAYLONG} ${upTo100ms}`,
    [bucket("0.5")]: `0+300x${DAYLONG} ${count}`,
    [bucket("+Inf")]: `0+300x${DAYLONG} ${count}`,
  };
}

const lookups = (hits: number, misses: number, errors = 0): Series =>
  Object.fromEntries(
    Object.entries({ hit: hits, miss: misses, error: errors }).map(([result, value]) => [
      of("telltale_cache_lookups_total", `telltale_cache_name="product",telltale_cache_result="${result}"`),
      grows(value),
    ]),
  );

const calls = (msEach: number): Series => ({
  [of("db_client_operation_duration_seconds_sum", 'db_system_name="postgresql"')]: grows((600 * msEach) / 1000),
  [of("db_client_operation_duration_seconds_count", 'db_system_name="postgresql"')]: grows(600),
});

const POOL = 'db_client_connection_pool_name="shop"';
const pool = (used: number): Series => ({
  [of("db_client_connection_count", `${POOL},db_client_connection_state="used"`)]: `${used}x60`,
  [of("db_client_connection_count", `${POOL},db_client_connection_state="idle"`)]: `${10 - used}x60`,
  [of("db_client_connection_limit", POOL)]: "10x60",
});
const timeouts = (values: string): Series => ({ [of("db_client_connection_timeouts_total", POOL)]: values });

const loop = (activeSecondsPerMinute: number): Series => ({
  [of("nodejs_eventloop_time_seconds_total", 'nodejs_eventloop_state="active"')]: grows(activeSecondsPerMinute),
  [of("nodejs_eventloop_time_seconds_total", 'nodejs_eventloop_state="idle"')]: grows(60 - activeSecondsPerMinute),
});

const cpu = (user: number, system: number): Series => ({
  [of("process_cpu_utilization_ratio", 'cpu_mode="user"')]: `${user}x60`,
  [of("process_cpu_utilization_ratio", 'cpu_mode="system"')]: `${system}x60`,
});

/** Of a limit of 100. */
const heap = (old: string): Series => ({
  [of("v8js_memory_heap_used_bytes", 'v8js_heap_space_name="old_space"')]: old,
  [of("v8js_memory_heap_used_bytes", 'v8js_heap_space_name="new_space"')]: "5x120",
  [of("telltale_heap_limit_bytes", "")]: "100x120",
});

const found = (values: string, more = ""): Series => ({
  [of(
    "telltale_findings_total",
    `telltale_finding_kind="n_plus_one",http_route="/orders",db_system_name="postgresql"${more}`,
  )]: values,
});

const inPool = { instance: "a:9464", db_client_connection_pool_name: "shop" };
const inProcess = { instance: "a:9464" };
const burns = (slo: string) => ({ slo });

export const RULE_TESTS: readonly RuleTest[] = [
  // 14.4 times the budget of 1 % is 14.4 %, 6 times is 6 %, 3 times 3 %.
  ...both("RequestErrors/page", "errors", requests(100, { failed: 20 }), requests(100, { failed: 5 })),
  ...both("RequestErrors/warn", "errors", requests(100, { failed: 5 }), requests(1000, { failed: 5 })),
  quiet("RequestErrors/page", "clients that leave", requests(100, { aborted: 50 })),
  quiet(
    "RequestErrors/page",
    "failures that ended 40 minutes ago",
    {
      ...counted(grows(80)),
      [FAILURES]: "0+20x60 1200x60",
    },
    100,
  ),
  // One in 20 minutes.
  quiet("RequestErrors/page", "one of four an hour", { ...counted("0x9 1x19 2x19 3x90"), [FAILURES]: "0x61 1x90" }, 66),
  quiet("RequestErrors/warn", "one of four an hour", { ...counted("0x9 1x19 2x19 3x90"), [FAILURES]: "0x61 1x90" }, 85),
  // One in 5 minutes.
  fires("RequestErrors/page", "all of twelve an hour", { [FAILURES]: steps(24, 4) }, burns("errors"), 100),
  // The budget is 5 %: pages from 30 % on, warnings from 5 % on. Half of what lies between 100 and 250 ms is evenly spread: two
  // thirds of it are below 200 ms.
  ...both(
    "RequestP95Slow/page",
    "p95",
    requests(100, { upTo: { "0.1": 10, "0.25": 25 } }),
    requests(100, { upTo: { "0.1": 75, "0.25": 75 } }),
  ),
  ...both(
    "RequestP95Slow/warn",
    "p95",
    requests(100, { upTo: { "0.1": 80, "0.25": 80 } }),
    requests(100, { upTo: { "0.1": 88, "0.25": 100 } }),
  ),
  ...both(
    "RequestP99Slow/page",
    "p99",
    requests(100, { upTo: { "0.1": 80, "0.25": 80, "0.5": 80 } }),
    requests(100, { upTo: { "0.1": 95, "0.25": 95, "0.5": 95 } }),
  ),
  ...both(
    "RequestP99Slow/warn",
    "p99",
    requests(100, { upTo: { "0.1": 95, "0.25": 95, "0.5": 95 } }),
    requests(1000, { upTo: { "0.1": 995, "0.25": 995, "0.5": 995 } }),
  ),
  ...nextDay("RequestP99Grew/warn", 1, [
    ["from 100 ms to 500 ms", dayThen("86700+300x12", "86400x12"), { http_route: "/orders" }],
    ["slow, but two requests a minute", dayThen("86410+10x12", "86400x12")],
    ["as fast as the day before", dayThen("86700+300x12", "86700+300x12")],
  ]),
  ...nextDay("ThroughputFell/warn", 2, [
    ["half of the day before", counted(`0+300x${DAYLONG} 86400+150x24`), {}],
    ["no process is left", counted(`0+300x${DAYLONG}`), {}],
    ["nine tenths of the day before", counted(`0+300x${DAYLONG} 86400+270x24`)],
    ["half of next to nothing", counted(`0+10x${DAYLONG} 2880+5x24`)],
  ]),
  ...nextDay("ThroughputFell/warn", 2.5, [
    ["as on the day before, of which two hours were not seen", counted(`0+300x${DAYLONG} _x24 93600+300x24`)],
  ]),
  ...nextDay("ThroughputFell/warn", 4, [
    ["half of the day before, of which two hours were not seen", counted(`0+300x${DAYLONG} _x24 93600+150x24`), {}],
  ]),
  fires("DatabaseSlow/warn", "100 ms", calls(100), { db_system_name: "postgresql" }),
  quiet("DatabaseSlow/warn", "20 ms", calls(20)),
  fires("CacheHitRatioLow/page", "half", lookups(50, 50), { telltale_cache_name: "product" }),
  quiet("CacheHitRatioLow/page", "80 %", lookups(80, 20)),
  quiet("CacheHitRatioLow/page", "a cache that cannot be asked", lookups(95, 5, 900)),
  fires("CacheHitRatioLow/warn", "80 %", lookups(80, 20), { telltale_cache_name: "product" }),
  quiet("CacheHitRatioLow/warn", "95 %", lookups(95, 5)),
  quiet("CacheHitRatioLow/warn", "two lookups a minute", lookups(0, 2)),
  fires("PoolNearlyFull/warn", "9 of 10", pool(9), inPool),
  quiet("PoolNearlyFull/warn", "7 of 10", pool(7)),
  fires("PoolTimeouts/page", "one", timeouts("0x28 1x30"), inPool),
  fires(
    "PoolTimeouts/page",
    "one of a pool of workers",
    { [of("telltale_pool_timeouts_total", 'telltale_pool_name="workers"')]: "0x28 1x30" },
    { instance: "a:9464", telltale_pool_name: "workers" },
  ),
  quiet("PoolTimeouts/page", "one, an hour ago", timeouts("0x5 1x120"), 100),
  quiet("PoolTimeouts/page", "none", timeouts("0x60")),
  fires("EventLoopBusy/warn", "90 %", loop(54), inProcess),
  quiet("EventLoopBusy/warn", "70 %", loop(42)),
  fires("CpuBusy/warn", "90 %", cpu(0.7, 0.2), inProcess),
  quiet("CpuBusy/warn", "70 %", cpu(0.5, 0.2)),
  fires("HeapLeak/page", "to 91 %, by 6 % an hour", heap("76+0.1x120"), inProcess, 100),
  quiet("HeapLeak/page", "level at 95 %", heap("90x120"), 100),
  quiet("HeapLeak/page", "teeth at 90 %", heap("85 81 83 85 81 83 85 81 83 85 81 83 85 81 83 85 81 83 85 83x100"), 100),
  // Thirty minutes after the start, and when an hour has passed since.
  quiet("HeapLeak/page", "level at 95 % since its start", heap("_x30 40 50 60 70 80 90x90"), 60),
  quiet("HeapLeak/page", "level at 95 % for an hour since its start", heap("_x30 40 50 60 70 80 90x90"), 91),
  quiet("HeapLeak/page", "to 45 %, by 6 % an hour", heap("30+0.1x120"), 100),
  fires("NewNPlusOne/warn", "the first one", found("_x28 1x30"), {
    http_route: "/orders",
    db_system_name: "postgresql",
  }),
  quiet("NewNPlusOne/warn", "an accepted one", found("_x28 1x30", ',telltale_finding_accepted="true"'), 30),
  quiet("NewNPlusOne/warn", "known for an hour", found("1+1x90"), 90),
  quiet("NewNPlusOne/warn", "again after an hour without", found("5x60 _x60 1x60"), 125),
];

function fires(
  alert: string,
  title: string,
  series: Series,
  labels: Readonly<Record<string, string>>,
  at = 30,
): RuleTest {
  return { alert, title, series, at, fires: labels };
}

function quiet(alert: string, title: string, series: Series, at = 45): RuleTest {
  return { alert, title, series, at };
}

function both(alert: string, slo: string, bad: Series, good: Series): RuleTest[] {
  return [fires(alert, "too much", bad, burns(slo)), quiet(alert, "bearable", good)];
}

function nextDay(
  alert: string,
  hours: number,
  tests: readonly [title: string, series: Series, labels?: Readonly<Record<string, string>>][],
): RuleTest[] {
  return tests.map(([title, series, labels]) => ({
    alert,
    title,
    series,
    at: DAY + hours * HOUR,
    takesDay: true,
    ...(labels && { fires: labels }),
  }));
}

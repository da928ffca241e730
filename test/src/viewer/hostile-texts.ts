import { hostileText, hostileUrl } from "./hostile-text.js";
import { anyValue, attributes, type Json, ns, spanId, TRACES } from "./otlp-json.js";
import { json, type Post } from "./send.js";

export const HOSTILE_METRIC = hostileText("metric name");
const HOSTILE_QUERY = `SELECT '${hostileText("query text")}'`;

/** Each of these attributes with a hostile value of its own. */
function hostile(names: string): Record<string, string> {
  return Object.fromEntries(names.split(" ").map((name) => [name, hostileText(name)]));
}

const RESOURCE = {
  attributes: attributes({
    ...hostile("service.name service.instance.id service.version telemetry.sdk.language host.name"),
    [hostileText("resource key")]: hostileText("resource value"),
    __proto__: "x",
    constructor: "x",
  }),
};
const SCOPE = { name: hostileText("scope name"), version: hostileText("scope version") };

/** Scripts and markup in every text there is. */
export function hostileTexts(nowMs: number): Post[] {
  return [hostileSpans(nowMs), hostileLogs(nowMs), hostileMetrics(nowMs)];
}

function hostileSpans(nowMs: number): Post {
  const traceId = TRACES.texts;
  const more = {
    [hostileText("attribute key")]: hostileText("attribute value"),
    list: [hostileText("list value"), [hostileText("list in list")]],
    map: { [hostileText("map key")]: { inner: hostileText("map value") } },
    "url.full": hostileUrl("url.full"),
    "telltale.finding.page": hostileUrl("finding page"),
    ...hostile("code.file.path code.function.name peer.service user_agent.original error.type"),
  };
  const span = (number: number, parent: number, kind: number, values: Json, wide: Json = {}): Json => ({
    traceId,
    spanId: spanId(number),
    parentSpanId: parent === 0 ? "" : spanId(parent),
    traceState: `a=${hostileText("trace state")}`,
    name: hostileText(`span name ${number}`),
    kind,
    startTimeUnixNano: ns(nowMs - 500 + number),
    endTimeUnixNano: ns(nowMs - 100 - number),
    attributes: attributes({ ...more, ...values }),
    status: { code: 2, message: hostileText("status message") },
    events: [
      {
        timeUnixNano: ns(nowMs - 300),
        name: hostileText("event name"),
        attributes: attributes({ [hostileText("event key")]: hostileText("event value") }),
      },
      {
        timeUnixNano: ns(nowMs - 300),
        name: "exception",
        attributes: attributes(hostile("exception.type exception.message exception.stacktrace")),
      },
      {
        timeUnixNano: ns(nowMs - 200),
        name: "telltale.finding",
        attributes: attributes(findingAttributes("on a span")),
      },
    ],
    links: [{ traceId: TRACES.shapes, spanId: spanId(1), attributes: attributes({ link: hostileText("link value") }) }],
    ...wide,
  });
  const query = {
    "db.system.name": "postgresql",
    "db.query.text": HOSTILE_QUERY,
    ...hostile("db.namespace db.query.summary db.collection.name db.client.connection.pool.name"),
  };
  const spans = [
    span(1, 0, 2, {
      ...hostile("http.route http.request.method url.path url.query url.scheme"),
      "http.response.status_code": hostileText("status"),
      "telltale.finding.kind": "n_plus_one",
    }),
    // Alike, so that they are drawn as a group.
    ...[2, 3, 4, 5, 6, 7].map((number) =>
      span(number, 1, 3, { ...query, "telltale.pool.wait_ms": 20 }, { name: hostileText("alike") }),
    ),
    span(8, 1, 3, {
      ...hostile("db.system.name db.operation.name db.query.text telltale.cache.name"),
      "telltale.cache.hits": hostileText("hits"),
    }),
    span(9, 1, 3, {
      "db.system.name": "redis",
      "db.operation.name": "GET",
      "db.query.text": hostileText("command"),
      "telltale.cache.name": hostileText("cache name"),
      "telltale.cache.hits": 3,
      "telltale.cache.misses": 5,
    }),
    span(10, 1, 3, { ...hostile("http.request.method server.address"), "http.response.status_code": 200 }),
    // A request of its own, with a route that is known and a status that is not.
    span(11, 0, 2, {
      "http.request.method": "GET",
      "http.route": hostileText("route"),
      "http.response.status_code": 500,
      "telltale.finding.kind": hostileText("finding kind"),
    }),
  ];
  return json("/v1/traces", "hostile texts in spans", {
    resourceSpans: [{ resource: RESOURCE, scopeSpans: [{ scope: SCOPE, spans }] }],
  });
}

function findingAttributes(which: string): Json {
  return {
    "telltale.finding.id": hostileText(`finding id ${which}`),
    "telltale.finding.kind": hostileText(`finding kind ${which}`),
    "telltale.finding.severity": hostileText("finding severity"),
    "telltale.finding.title": hostileText("finding title"),
    "telltale.finding.page": hostileUrl("finding page"),
    "telltale.finding.count": 3,
    "telltale.finding.lost_ms": 1e9,
    ...hostile(
      "telltale.finding.cause telltale.finding.advice telltale.finding.endpoint telltale.finding.subject telltale.finding.plan telltale.finding.calls telltale.finding.first_seen telltale.slow.reason http.route db.query.summary db.system.name db.namespace code.file.path code.line.number code.function.name",
    ),
    "db.query.text": HOSTILE_QUERY,
    [`telltale.finding.evidence.${hostileText("evidence name")}`]: hostileText("evidence value"),
  };
}

function hostileLogs(nowMs: number): Post {
  const record = (body: unknown, more: Json = {}): Json => ({
    timeUnixNano: ns(nowMs - 200),
    severityNumber: 17,
    severityText: hostileText("severity"),
    eventName: hostileText("log event name"),
    body: anyValue(body),
    attributes: attributes({ [hostileText("log key")]: hostileText("log value") }),
    traceId: TRACES.texts,
    spanId: spanId(1),
    ...more,
  });
  const finding = (which: string, more: Json = {}): Json =>
    record(hostileText(`finding title ${which}`), {
      eventName: "telltale.finding",
      attributes: attributes({ ...findingAttributes(which), ...more }),
    });
  const kinds = ["n_plus_one", "slow_query", "cache_stampede", "pool_starved", "event_loop_blocked", "__proto__"];
  const logRecords = [
    record(hostileText("log body")),
    record({ [hostileText("body key")]: [hostileText("body value")] }),
    record(hostileText("severity of its own"), { severityNumber: 999 }),
    finding("of a kind nobody knows"),
    ...kinds.map((kind, index) =>
      finding(kind, {
        "telltale.finding.kind": kind,
        "telltale.finding.id": `hostile-${index}`,
        "telltale.finding.severity": "error",
      }),
    ),
  ];
  return json("/v1/logs", "hostile texts in logs", {
    resourceLogs: [{ resource: RESOURCE, scopeLogs: [{ scope: SCOPE, logRecords }] }],
  });
}

function hostileMetrics(nowMs: number): Post {
  const named = { [hostileText("label name")]: hostileText("label value"), "http.route": hostileText("route label") };
  const point = (ageMs: number, value: number, values: Json = named): Json => ({
    startTimeUnixNano: ns(nowMs - 60_000),
    timeUnixNano: ns(nowMs - ageMs),
    asDouble: value,
    attributes: attributes(values),
    exemplars: [
      {
        timeUnixNano: ns(nowMs - ageMs),
        asDouble: value,
        traceId: TRACES.texts,
        spanId: spanId(1),
        filteredAttributes: attributes(named),
      },
    ],
  });
  const points = (values: Json, value = 3): Json[] => [
    point(20_000, value, values),
    point(10_000, value * 2, values),
    point(1_000, value * 5, values),
  ];
  const histogram = (values: Json): Json => ({
    aggregationTemporality: 2,
    dataPoints: [20_000, 10_000, 1_000].map((ageMs, index) =>
      Object.assign(point(ageMs, 1, values), {
        count: String(10 * (index + 1)),
        sum: 5 * (index + 1),
        bucketCounts: [5, 3, 2].map((count) => String(count * (index + 1))),
        explicitBounds: [0.1, 1],
      }),
    ),
  });
  const text = { description: hostileText("description"), unit: hostileText("unit") };
  const gauge = (name: string, values: Json, value?: number): Json => ({
    name,
    ...text,
    gauge: { dataPoints: points(values, value) },
  });
  const sum = (name: string, values: Json): Json => ({
    name,
    ...text,
    sum: { dataPoints: points(values), isMonotonic: true, aggregationTemporality: 2 },
  });
  const pool = {
    "db.client.connection.pool.name": hostileText("pool name"),
    "db.system.name": hostileText("pool system"),
  };
  const cache = { "telltale.cache.name": hostileText("cache name") };
  const metrics = [
    gauge(HOSTILE_METRIC, named),
    { name: hostileText("histogram name"), ...text, histogram: histogram(named) },
    {
      name: "http.server.request.duration",
      ...text,
      histogram: histogram({ ...named, "http.request.method": hostileText("method") }),
    },
    ...["used", "idle", hostileText("state")].map((state) =>
      gauge("db.client.connection.count", { ...pool, "db.client.connection.state": state }),
    ),
    gauge("db.client.connection.limit", pool, 10),
    gauge("db.client.connection.pending_requests", pool),
    { name: "db.client.connection.wait_time", ...text, histogram: histogram(pool) },
    ...["hit", "miss", hostileText("result")].map((result) =>
      sum("telltale.cache.lookups", { ...cache, "telltale.cache.result": result }),
    ),
    ...[
      "nodejs.eventloop.delay.p99",
      "nodejs.eventloop.utilization",
      "process.memory.usage",
      "v8js.memory.heap.used",
      "process.cpu.utilization",
    ].map((name) => gauge(name, named)),
  ];
  return json("/v1/metrics", "hostile texts in metrics", {
    resourceMetrics: [{ resource: RESOURCE, scopeMetrics: [{ scope: SCOPE, metrics }] }],
  });
}

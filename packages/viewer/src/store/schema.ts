/**
 * What is kept, in SQLite. Times are microseconds since the epoch and durations nanoseconds, so that both are whole numbers that
 * JavaScript holds exactly; ids are hexadecimal digits in lower case; attributes are JSON objects, lists of events, links and
 * exemplars JSON arrays. Rows are only added, and go in the order in which they came: the oldest first.
 */
export const SCHEMA = `
CREATE TABLE IF NOT EXISTS resource (
  id INTEGER PRIMARY KEY,
  service TEXT NOT NULL,
  instance TEXT NOT NULL,
  attributes TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE IF NOT EXISTS span (
  id INTEGER PRIMARY KEY,
  trace_id TEXT NOT NULL,
  span_id TEXT NOT NULL,
  -- Empty for a root.
  parent_id TEXT NOT NULL,
  resource_id INTEGER NOT NULL,
  scope TEXT NOT NULL,
  name TEXT NOT NULL,
  -- As in OTLP: 0 unspecified, 1 internal, 2 server, 3 client, 4 producer, 5 consumer.
  kind INTEGER NOT NULL,
  start_us INTEGER NOT NULL,
  -- Never below 0, whatever the clocks said.
  duration_ns INTEGER NOT NULL,
  -- As in OTLP: 0 unset, 1 ok, 2 error.
  status INTEGER NOT NULL,
  status_message TEXT NOT NULL,
  -- 1 where work begins in a service: a server's or a consumer's span, or one without parent that is no call to somebody else.
  is_entry INTEGER NOT NULL,
  -- What lists are made of, taken from the attributes: http.route with its method, else the name, of an entry; NULL for others.
  route TEXT,
  http_status INTEGER,
  -- What a database span belongs to: telltale's fingerprint is that of db.system.name, db.namespace and db.query.text, or of db.query.summary
  -- where there is no text; NULL for spans of no database.
  fingerprint TEXT,
  -- db.system.name, or db.system of old; NULL for spans of no database.
  db_system TEXT,
  -- db.response.returned_rows, or db.response.affected_rows; NULL where nobody said.
  db_rows INTEGER,
  -- 1 where it was told as slow (telltale.slow.reason).
  is_slow INTEGER NOT NULL DEFAULT 0,
  cache_hits INTEGER NOT NULL DEFAULT 0,
  cache_misses INTEGER NOT NULL DEFAULT 0,
  -- The kind of finding that the span tells of (telltale.finding.kind); NULL for none.
  finding TEXT,
  attributes TEXT NOT NULL,
  -- [{"name", "timeMs" since the epoch, "attributes"}]
  events TEXT NOT NULL,
  -- [{"traceId", "spanId", "attributes"}]
  links TEXT NOT NULL,
  trace_state TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS span_trace ON span (trace_id);
-- With all that sums are made of, so that only the index is read: a span's attributes are a hundred times as long.
CREATE INDEX IF NOT EXISTS span_entry ON span (start_us, id, duration_ns, status, http_status, resource_id, route)
  WHERE is_entry = 1;
CREATE INDEX IF NOT EXISTS span_route ON span (route, start_us, id) WHERE is_entry = 1;
-- Which request a call was made for.
CREATE INDEX IF NOT EXISTS span_request ON span (trace_id, resource_id, start_us, duration_ns, route) WHERE is_entry = 1;
CREATE INDEX IF NOT EXISTS span_query ON span (fingerprint, start_us, duration_ns, status, resource_id, db_rows, is_slow)
  WHERE fingerprint IS NOT NULL;
CREATE INDEX IF NOT EXISTS span_finding ON span (trace_id, finding) WHERE finding IS NOT NULL;

CREATE TABLE IF NOT EXISTS log (
  id INTEGER PRIMARY KEY,
  time_us INTEGER NOT NULL,
  -- Empty outside of a trace.
  trace_id TEXT NOT NULL,
  span_id TEXT NOT NULL,
  resource_id INTEGER NOT NULL,
  scope TEXT NOT NULL,
  severity INTEGER NOT NULL,
  severity_text TEXT NOT NULL,
  event_name TEXT NOT NULL,
  -- A text as it is, anything else as JSON.
  body TEXT NOT NULL,
  attributes TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS log_trace ON log (trace_id) WHERE trace_id <> '';
CREATE INDEX IF NOT EXISTS log_time ON log (time_us);

-- What findings are: events named telltale.finding, the last of each id.
CREATE TABLE IF NOT EXISTS finding (
  resource_id INTEGER NOT NULL,
  -- Of Telltale: the same for the same thing in every process of the service.
  finding_id TEXT NOT NULL,
  kind TEXT NOT NULL,
  first_us INTEGER NOT NULL,
  last_us INTEGER NOT NULL,
  -- How often this process found it, as its last event says.
  count INTEGER NOT NULL,
  trace_id TEXT NOT NULL,
  title TEXT NOT NULL,
  attributes TEXT NOT NULL,
  PRIMARY KEY (resource_id, finding_id)
) STRICT;
CREATE TABLE IF NOT EXISTS muted (finding_id TEXT PRIMARY KEY) STRICT;

CREATE TABLE IF NOT EXISTS series (
  id INTEGER PRIMARY KEY,
  resource_id INTEGER NOT NULL,
  scope TEXT NOT NULL,
  name TEXT NOT NULL,
  description TEXT NOT NULL,
  unit TEXT NOT NULL,
  -- gauge, sum, histogram, exponential_histogram, summary.
  kind TEXT NOT NULL,
  is_monotonic INTEGER NOT NULL,
  -- 1 where points tell what came since the last one (delta), 0 where they tell the whole (cumulative).
  is_delta INTEGER NOT NULL,
  attributes TEXT NOT NULL,
  UNIQUE (resource_id, scope, name, kind, attributes)
) STRICT;
CREATE INDEX IF NOT EXISTS series_name ON series (name);
CREATE TABLE IF NOT EXISTS point (
  id INTEGER PRIMARY KEY,
  series_id INTEGER NOT NULL,
  time_us INTEGER NOT NULL,
  -- When what it counts began; 0 where nobody said.
  start_us INTEGER NOT NULL,
  -- The value of a gauge or a sum; the sum of a histogram.
  value REAL NOT NULL,
  count INTEGER,
  min REAL,
  max REAL,
  -- JSON: {"bounds": [...], "counts": [...]}, one count more than bounds; exponential histograms are converted. NULL for others.
  buckets TEXT,
  -- JSON: [{"value", "timeMs", "traceId", "spanId"}]; NULL for none.
  exemplars TEXT
) STRICT;
CREATE INDEX IF NOT EXISTS point_exemplars ON point (series_id, time_us) WHERE exemplars IS NOT NULL;
CREATE INDEX IF NOT EXISTS point_series ON point (series_id, time_us);
`;

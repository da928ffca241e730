import { type FamilyType, type InstrumentKind, type METRIC_ATTRIBUTES, METRICS, type Naming } from "@telltale/core";

/** A metric, by its key in `METRICS`. */
export type Metric = keyof typeof METRICS;
type AttributeOf<M extends Metric> = (typeof METRIC_ATTRIBUTES)[M][number];
/** What series are grouped by: attributes, what Prometheus adds to whatever it scrapes, and the name of an objective. */
export type Label = AttributeOf<Metric> | "job" | "instance" | "slo";
/** Matchers by attribute, operator first: `{ "error.type": "!=" }`, `{ "http.route": "=~$route" }`. */
export type Where<M extends Metric> = { readonly [A in AttributeOf<M> | "le"]?: string };

const TYPES: Readonly<Record<InstrumentKind, FamilyType>> = {
  counter: "counter",
  updowncounter: "gauge",
  gauge: "gauge",
  histogram: "histogram",
};

/** Writes PromQL about metrics and attributes of OpenTelemetry. */
export interface Promql {
  /** Samples as they are: gauges, counters since the start, the number of a histogram's measurements since then. */
  value<M extends Metric>(metric: M, where?: Where<M>): string;
  /** Growth per second of a counter. */
  rate<M extends Metric>(counter: M, where?: Where<M>): string;
  /** Growth of a counter. */
  increase<M extends Metric>(counter: M, where?: Where<M>): string;
  /** The same of a counter that begins with its first event, which is no growth to Prometheus: new ones count whole. */
  gained<M extends Metric>(counter: M, where?: Where<M>): string;
  /** Measurements per second of a histogram. */
  count<M extends Metric>(histogram: M, where?: Where<M>): string;
  /** What they add up to, per second. */
  total<M extends Metric>(histogram: M, where?: Where<M>): string;
  /** Measurements per second, by bucket. */
  buckets<M extends Metric>(histogram: M, where?: Where<M>): string;
  /** Series that a recording rule has made. */
  recorded(name: string, where?: Readonly<Record<string, string>>): string;
  quantile<M extends Metric>(q: number, histogram: M, by: readonly Label[], where?: Where<M>): string;
  sum(by: readonly Label[], expression: string): string;
  max(by: readonly Label[], expression: string): string;
  /** A part over the whole; nothing of the part is 0, for a series begins with the first event. */
  share(by: readonly Label[], part: string, whole: string): string;
  /** Labels as they stand in `by (…)` and `on (…)`. */
  labels(...labels: readonly Label[]): string;
  /** A label's own name, as Grafana and templates of alerts look it up. */
  label(label: Label): string;
  /** The same over another time. */
  over(window: string): Promql;
  /** The same about other processes. */
  about(target: Scope["target"]): Promql;
}

/** What all selectors have in common. */
export interface Scope {
  /** As in `Where`. */
  readonly target: Readonly<Record<string, string>>;
  readonly window: string;
}

export function createPromql(naming: Naming, { target, window }: Scope): Promql {
  const label = (key: string): string => (OWN.has(key) ? key : naming.label(key));

  function nameOf(metric: Metric): string {
    const { name, unit, kind } = METRICS[metric];
    const result = naming.metric({ name, unit, type: TYPES[kind], isRatio: kind === "gauge" });
    if (result === undefined) throw new Error(`${name} has no name in Prometheus`);
    return result;
  }

  function selectName(name: string, where?: Readonly<Record<string, string | undefined>>): string {
    const matchers = Object.entries({ ...target, ...where }).map(([key, matcher]) => {
      const [, operator = "=", value = ""] = /^(=~|!~|!=|=)(.*)$/s.exec(matcher as string) ?? [];
      return `${quoteIfNeeded(label(key))}${operator}${JSON.stringify(value)}`;
    });
    // Names that are not plain stand inside the braces, in quotes (Prometheus 3).
    const plain = PLAIN.test(name);
    const inside = plain ? matchers : [JSON.stringify(name), ...matchers];
    return `${plain ? name : ""}${inside.length > 0 ? `{${inside.join(", ")}}` : ""}`;
  }

  const select = <M extends Metric>(metric: M, suffix: string, where?: Where<M>): string =>
    selectName(nameOf(metric) + suffix, where);

  const aggregate = (operator: string, by: readonly Label[], expression: string): string =>
    by.length === 0 ? `${operator}(${expression})` : `${operator} by (${labels(...by)}) (${expression})`;
  const labels = (...keys: readonly string[]): string => keys.map((key) => quoteIfNeeded(label(key))).join(", ");
  const sum: Promql["sum"] = (by, expression) => aggregate("sum", by, expression);
  const rateOf = (selector: string): string => `rate(${selector}[${window}])`;

  return {
    value: (metric, where) => select(metric, METRICS[metric].kind === "histogram" ? "_count" : "", where),
    rate: (metric, where) => rateOf(select(metric, "", where)),
    increase: (metric, where) => `increase(${select(metric, "", where)}[${window}])`,
    gained(metric, where) {
      const total = select(metric, "", where);
      const growth = `increase(${total}[${window}])`;
      const peak = `max_over_time(${total}[${window}])`;
      // What was there before has grown; what is new counts whole, and no restart in between makes it less than its peak.
      return `((${growth} and ${total} offset ${window}) or ${growth} > ${peak} or ${peak})`;
    },
    count: (metric, where) => rateOf(select(metric, "_count", where)),
    total: (metric, where) => rateOf(select(metric, "_sum", where)),
    buckets: (metric, where) => rateOf(select(metric, "_bucket", where)),
    recorded: selectName,
    quantile(q, metric, by, where) {
      const buckets = rateOf(select(metric, "_bucket", where));
      return `histogram_quantile(${q}, sum by (${["le", ...(by.length > 0 ? [labels(...by)] : [])].join(", ")}) (${buckets}))`;
    },
    sum,
    max: (by, expression) => aggregate("max", by, expression),
    share: (by, part, whole) => `(${sum(by, part)} or 0 * ${sum(by, whole)}) / ${sum(by, whole)}`,
    labels,
    label,
    over: (other) => createPromql(naming, { target, window: other }),
    about: (other) => createPromql(naming, { target: other, window }),
  };
}

/** Labels that are no attributes, so that no naming changes them. */
const OWN = new Set(["job", "instance", "slo", "le"]);
const PLAIN = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;

function quoteIfNeeded(label: string): string {
  return /^[a-zA-Z_][a-zA-Z0-9_]*$/.test(label) ? label : JSON.stringify(label);
}

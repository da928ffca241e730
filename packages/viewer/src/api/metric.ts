import type { Store } from "../store/open-store.js";
import type { Instrument, MetricData, MetricLine } from "./answers.js";
import { numberOf, parseList, parseObject, textOf } from "./attributes.js";
import { Distribution } from "./distribution.js";
import { type Increase, increasesOf } from "./increases.js";
import { readInstruments } from "./metrics.js";
import { addUp, average, eachPart, levelsOf, ratesOf } from "./over-time.js";
import { readMinutes, readText } from "./parameters.js";
import { ProblemError } from "./problem-error.js";
import { readRow, readRows } from "./read-rows.js";
import { readPoints, readSeries, type Series } from "./series.js";
import { boundsOf, stepsOf, type TimeWindow, windowOf } from "./time-window.js";

const MAX_LINES = 20;
const MAX_EXEMPLARS = 200;
/** Characters of a value that a line is named by. */
const MAX_LABEL = 200;

/** `GET /api/metric/:name` */
export function answerMetric(store: Store, url: URL, nowMs: number, name: string): MetricData {
  const window = windowOf(nowMs, readMinutes(url, 15));
  const service = readText(url, "service");
  const by = readText(url, "by");
  const [instrument] = readInstruments(store, service, name);
  if (instrument === undefined) {
    const named = JSON.stringify(name.slice(0, 100));
    throw new ProblemError(
      404,
      `no metric ${named} has come${service === undefined ? "" : " from this service"}: GET /api/metrics lists them`,
    );
  }
  const all = readSeries(store, [name], service).filter(({ kind }) => kind === instrument.kind);
  const lines = [...groupBy(all, by, name)]
    .map(([label, series]) => drawLine(store, window, instrument, label, series))
    .filter(({ size }) => size > 0)
    .sort((a, b) => b.size - a.size || (a.line.label < b.line.label ? -1 : 1));
  return {
    instrument,
    fromMs: window.fromMs,
    toMs: window.toMs,
    attributes: [...new Set(all.flatMap(({ attributes }) => Object.keys(attributes)))].sort(),
    lines: lines.slice(0, MAX_LINES).map(({ line }) => line),
    leftOut: Math.max(0, lines.length - MAX_LINES),
    exemplars: readExemplars(store, window, all),
  };
}

function groupBy(all: readonly Series[], by: string | undefined, name: string): Map<string, Series[]> {
  const groups = new Map<string, Series[]>();
  for (const series of all) {
    const { attributes } = series;
    // Every object has a `constructor`.
    const own = by !== undefined && Object.hasOwn(attributes, by) ? attributes[by] : "(none)";
    const value = by === undefined ? name : (own ?? null);
    const label = (typeof value === "string" ? value : JSON.stringify(value)).slice(0, MAX_LABEL);
    const group = groups.get(label);
    if (group === undefined) groups.set(label, [series]);
    else group.push(series);
  }
  return groups;
}

/** `size`: what lines are ranked by, 0 where there is nothing to draw. */
interface Drawn {
  readonly line: MetricLine;
  readonly size: number;
}

function drawLine(
  store: Store,
  window: TimeWindow,
  instrument: Instrument,
  label: string,
  all: readonly Series[],
): Drawn {
  const { kind, isMonotonic } = instrument;
  if (kind === "gauge" || (kind === "sum" && !isMonotonic)) {
    const levels = all.map((series) => levelsOf(readPoints(store, series, window), window, series.isDelta));
    const values = kind === "gauge" ? average(levels, window) : addUp(levels, window);
    return { line: { label, values: stepsOf(window, values) }, size: sizeOf(values) };
  }
  const increases = all.map((series) => increasesOf(readPoints(store, series, window), series));
  const amountOf = kind === "sum" ? ({ value }: Increase) => value : ({ count }: Increase) => count;
  const values = addUp(
    increases.map((each) => ratesOf(each, window, amountOf)),
    window,
  );
  const line: MetricLine = { label, values: stepsOf(window, values) };
  const size = sizeOf(values);
  if (kind === "sum" || kind === "summary") return { line, size };
  const steps = Array.from({ length: window.count }, () => new Distribution());
  for (const each of increases) eachPart(each, window, (increase, step, part) => steps[step]?.add(increase, part));
  const quantiles = (part: number) =>
    stepsOf(
      window,
      steps.map((step) => step.quantile(part)),
    );
  return { line: { ...line, p50: quantiles(0.5), p95: quantiles(0.95), p99: quantiles(0.99) }, size };
}

/** Those that are 0 are drawn, too, behind all others. */
function sizeOf(values: readonly (number | null)[]): number {
  let size = 0;
  for (const value of values) if (value !== null) size += Math.abs(value) + Number.MIN_VALUE;
  return size;
}

const EXEMPLARS = `
SELECT exemplars FROM point INDEXED BY point_exemplars
WHERE exemplars IS NOT NULL AND series_id IN (SELECT value FROM json_each(:ids)) AND time_us BETWEEN :from AND :to
ORDER BY time_us DESC LIMIT ${MAX_EXEMPLARS}`;
const IS_KEPT = "SELECT 1 FROM span WHERE trace_id = :trace LIMIT 1";

/** The newest 200 at most. */
function readExemplars(store: Store, window: TimeWindow, all: readonly Series[]): MetricData["exemplars"] {
  const ids = JSON.stringify(all.map(({ id }) => id));
  const rows = readRows<{ exemplars: string }>(store, EXEMPLARS, { ...boundsOf(window), ids });
  const found = new Map<string, MetricData["exemplars"][number]>();
  for (const { exemplars } of rows) {
    for (const each of parseList(exemplars)) {
      const exemplar = parseObject(each);
      const traceId = textOf(exemplar, "traceId");
      const value = numberOf(exemplar, "value");
      const timeMs = numberOf(exemplar, "timeMs");
      if (traceId === null || value === null || timeMs === null || found.size >= MAX_EXEMPLARS) continue;
      // A histogram tells of one again and again until there is a newer one.
      const key = `${traceId} ${timeMs} ${value}`;
      if (found.has(key)) continue;
      found.set(key, { timeMs, value, traceId, isKept: readRow(store, IS_KEPT, { trace: traceId }) !== undefined });
    }
  }
  return [...found.values()].filter(({ timeMs }) => timeMs >= window.fromMs).sort((a, b) => a.timeMs - b.timeMs);
}

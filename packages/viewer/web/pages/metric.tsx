import type { MetricData, MetricLine, Steps } from "../../src/api/answers.js";
import { apiPath, useApi } from "../api.js";
import { Chart, type ChartLine } from "../components/chart.js";
import type { ChartPoint } from "../components/chart-points.js";
import { DataTable, useSorted, type Column } from "../components/data-table.js";
import { LineSample } from "../components/line-style.js";
import { Empty, Loaded, Page, Section } from "../components/page.js";
import { formatQuantity } from "../components/quantity.js";
import { useRowKeys } from "../components/row-keys.js";
import { Sparkline } from "../components/sparkline.js";
import { useMinutes, WindowPicker } from "../components/window-picker.js";
import { formatPlural, formatTime } from "../format.js";
import { useKept } from "../kept.js";
import { linkTo, navigate, setQuery, usePlace } from "../router.js";
import { showLine } from "../show-text.js";
import { kindName } from "./metrics.js";

type Exemplar = MetricData["exemplars"][number];
type Statistic = "p50" | "p95" | "p99";

const STATISTICS: readonly Statistic[] = ["p50", "p95", "p99"];

/** The rest are still in the chart. */
const MAX_LISTED = 20;

/** One instrument over time, as a whole or split by an attribute. */
export function MetricPage({ name }: { readonly name: string }) {
  const { query: place } = usePlace();
  const by = place.get("by");
  const answer = useKept(
    useApi<MetricData>(apiPath(["metric", name], { minutes: useMinutes(15), service: place.get("service"), by }), [
      "metrics",
    ]),
  );
  const exemplars = (answer.data?.exemplars ?? []).toSorted((a, b) => b.value - a.value);
  const listed = exemplars.slice(0, MAX_LISTED);
  const chosen = useRowKeys("Exemplars", listed.map(exemplarId), (id) => {
    const exemplar = listed.find((one) => exemplarId(one) === id);
    if (exemplar?.isKept === true) navigate(linkTo(["trace", exemplar.traceId]));
  });
  return (
    <Page
      title={showLine(name, 100)}
      heading={
        <>
          <a href={linkTo(["metrics"])}>Metrics</a> <span class="dim">/</span> {showLine(name)}
        </>
      }
      tools={
        <>
          <SplitBy attributes={answer.data?.attributes ?? []} by={by} />
          {by !== null && answer.data?.lines.some(({ p50 }) => p50 !== undefined) === true && <StatisticChoice />}
          <WindowPicker byDefault={15} />
        </>
      }
    >
      <Loaded answer={answer}>
        {(data) => (
          <>
            <p class="dim">
              {[
                showLine(data.instrument.description),
                kindName(data.instrument),
                data.instrument.unit !== "1" && data.instrument.unit && `in ${showLine(data.instrument.unit, 40)}`,
                formatPlural(data.instrument.series, "series", "series"),
                showLine(data.instrument.services.join(", ")),
              ]
                .filter(Boolean)
                .join(" · ")}
            </p>
            {data.lines.length === 0 ? (
              <Empty title="No point of it has come in this time." />
            ) : (
              <Pictures data={data} isSplit={by !== null} exemplars={exemplars} />
            )}
            {exemplars.length > 0 && (
              <Section
                title="Exemplars"
                note={`measurements that tell their trace, the largest first${exemplars.length > MAX_LISTED ? `, ${MAX_LISTED} of ${exemplars.length}` : ""}`}
              >
                <DataTable
                  caption="Exemplars"
                  isNarrow
                  columns={exemplarColumns(data.instrument.unit)}
                  rows={listed}
                  rowId={exemplarId}
                  chosen={chosen}
                />
              </Section>
            )}
          </>
        )}
      </Loaded>
    </Page>
  );
}

function Pictures({
  data: { instrument, lines, leftOut, fromMs, toMs },
  isSplit,
  exemplars,
}: {
  readonly data: MetricData;
  readonly isSplit: boolean;
  readonly exemplars: readonly Exemplar[];
}) {
  const statistic = useStatistic();
  const hasPercentiles = lines.some(({ p50 }) => p50 !== undefined);
  const rateUnit = hasPercentiles
    ? "{measurement}/s"
    : instrument.isMonotonic
      ? `${instrument.unit}/s`
      : instrument.unit;
  const rates = byLabel(lines.map(({ label, values }) => ({ label, values })));
  const unit = hasPercentiles ? instrument.unit : rateUnit;
  const shown = hasPercentiles ? percentileLines(lines, isSplit ? statistic : undefined) : rates;
  const table = useSorted(
    lineColumns(unit),
    shown.map((line, index) => ({ ...line, index })),
    isSplit ? "mean" : "label",
  );
  return (
    <>
      <div class="section">
        <Chart
          title={
            hasPercentiles ? (isSplit ? statistic : "Percentiles") : instrument.isMonotonic ? "Per second" : "Value"
          }
          unit={unit}
          height={260}
          lines={shown}
          fromMs={fromMs}
          toMs={toMs}
          points={exemplars.map((exemplar) => toPoint(exemplar, instrument.unit))}
        />
        {leftOut > 0 && <p class="dim">{formatPlural(leftOut, "smaller one is", "smaller ones are")} left out.</p>}
      </div>
      {hasPercentiles && (
        <div class="section">
          <Chart
            title="Measurements per second"
            unit={rateUnit}
            height={140}
            lines={rates}
            fromMs={fromMs}
            toMs={toMs}
          />
        </div>
      )}
      {shown.length > 1 && (
        <div class="section">
          <DataTable
            caption="Lines"
            columns={lineColumns(unit)}
            rows={table.rows}
            rowId={({ label }) => label}
            order={table.order}
          />
        </div>
      )}
    </>
  );
}

/** The largest first would give lines other colours whenever one overtakes another. */
function byLabel(lines: readonly ChartLine[]): readonly ChartLine[] {
  return lines.toSorted((a, b) => a.label.localeCompare(b.label));
}

function percentileLines(lines: readonly MetricLine[], statistic: Statistic | undefined): readonly ChartLine[] {
  if (statistic !== undefined) {
    return byLabel(
      lines.flatMap((line) => {
        const values = line[statistic];
        return values === undefined ? [] : [{ label: line.label, values }];
      }),
    );
  }
  return lines.slice(0, 1).flatMap((line) =>
    STATISTICS.flatMap((name) => {
      const values = line[name];
      return values === undefined ? [] : [{ label: name, values }];
    }),
  );
}

function SplitBy({ attributes, by }: { readonly attributes: readonly string[]; readonly by: string | null }) {
  const names = by === null || attributes.includes(by) ? attributes : [...attributes, by];
  return (
    <label>
      split by{" "}
      <select value={by ?? ""} onChange={(event) => setQuery({ by: event.currentTarget.value }, { push: true })}>
        <option value="">nothing</option>
        {names.map((name) => (
          <option key={name} value={name}>
            {showLine(name, 60)}
          </option>
        ))}
      </select>
    </label>
  );
}

function StatisticChoice() {
  return (
    <label>
      show{" "}
      <select value={useStatistic()} onChange={(event) => setQuery({ show: event.currentTarget.value })}>
        {STATISTICS.map((name) => (
          <option key={name} value={name}>
            {name}
          </option>
        ))}
      </select>
    </label>
  );
}

function useStatistic(): Statistic {
  const wanted = usePlace().query.get("show");
  return STATISTICS.find((name) => name === wanted) ?? "p95";
}

type Line = ChartLine & { readonly index: number };

const lineColumns = (unit: string): readonly Column<Line>[] => [
  {
    key: "label",
    title: "Line",
    cell: ({ label, index }) => (
      <span class="line-name" title={showLine(label)}>
        <LineSample index={index} /> <span class="two-lines">{showLine(label)}</span>
      </span>
    ),
    sortBy: ({ label }) => label,
  },
  {
    key: "trend",
    title: "Over time",
    cell: ({ label, values, index }) => <Sparkline label={label} steps={values} unit={unit} index={index} />,
  },
  ...(["last", "mean", "max"] as const).map((key) => ({
    key,
    title: { last: "Last", mean: "Mean", max: "Max" }[key],
    isNumber: true,
    cell: ({ values }: Line) => formatQuantity(summarise(values)[key], unit),
    sortBy: ({ values }: Line) => summarise(values)[key],
  })),
];

const exemplarColumns = (unit: string): readonly Column<Exemplar>[] => [
  {
    key: "trace",
    title: "Trace",
    cell: ({ traceId, isKept }) =>
      isKept ? (
        <a class="exemplar" href={linkTo(["trace", traceId])}>
          {traceId}
        </a>
      ) : (
        <span class="exemplar dim">no longer kept: {traceId}</span>
      ),
  },
  {
    key: "time",
    title: "At",
    cell: ({ timeMs }) => <span class="nowrap">{formatTime(timeMs, { withMs: true })}</span>,
  },
  { key: "value", title: "Value", isNumber: true, cell: ({ value }) => formatQuantity(value, unit) },
];

function toPoint({ timeMs, value, traceId, isKept }: Exemplar, unit: string): ChartPoint {
  const what = `${formatQuantity(value, unit)} at ${formatTime(timeMs, { withMs: true })}`;
  return isKept
    ? { timeMs, value, label: `${what}: open its trace`, href: linkTo(["trace", traceId]) }
    : { timeMs, value, label: `${what}: its trace is no longer kept`, href: null };
}

const exemplarId = ({ traceId, timeMs }: Exemplar): string => `${traceId}-${timeMs}`;

function summarise({ values }: Steps): Readonly<Record<"last" | "mean" | "max", number | null>> {
  const known = values.filter((value) => value !== null);
  const last = known.at(-1);
  if (last === undefined) return { last: null, mean: null, max: null };
  return { last, mean: known.reduce((a, b) => a + b, 0) / known.length, max: known.reduce((a, b) => Math.max(a, b)) };
}

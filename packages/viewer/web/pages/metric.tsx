import type { MetricData, MetricLine, Steps } from "../../src/api/answers.js";
import { apiPath, useApi } from "../api.js";
import { Chart, type ChartLine } from "../components/chart.js";
import type { ChartPoint } from "../components/chart-points.js";
import { DataTable, type Column } from "../components/data-table.js";
import { Empty, Loaded, Page, Section } from "../components/page.js";
import { formatQuantity } from "../components/quantity.js";
import { useRowKeys } from "../components/row-keys.js";
import { Sparkline } from "../components/sparkline.js";
import { useMinutes, WindowPicker } from "../components/window-picker.js";
import { formatPlural, formatTime } from "../format.js";
import { useKept } from "../kept.js";
import { linkTo, navigate, setQuery, usePlace } from "../router.js";
import { kindName } from "./metrics.js";

type Exemplar = MetricData["exemplars"][number];
type Statistic = "p50" | "p95" | "p99";

const STATISTICS: readonly Statistic[] = ["p50", "p95", "p99"];

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
  const chosen = useRowKeys("Exemplars", exemplars.map(exemplarId), (id) => {
    const exemplar = exemplars.find((one) => exemplarId(one) === id);
    if (exemplar?.isKept === true) navigate(linkTo(["trace", exemplar.traceId]));
  });
  return (
    <Page
      title={name.slice(0, 100)}
      heading={
        <>
          <a href={linkTo(["metrics"])}>Metrics</a> <span class="dim">/</span> {name.slice(0, 200)}
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
                data.instrument.description,
                kindName(data.instrument),
                data.instrument.unit && `in ${data.instrument.unit}`,
                formatPlural(data.instrument.series, "series", "series"),
                data.instrument.services.join(", "),
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
              <Section title="Exemplars" note="measurements that tell their trace, largest first">
                <DataTable
                  caption="Exemplars"
                  columns={exemplarColumns(data.instrument.unit)}
                  rows={exemplars}
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
  const rates = lines.map(({ label, values }) => ({ label, values }));
  const shown = hasPercentiles ? percentileLines(lines, isSplit ? statistic : undefined) : rates;
  const unit = hasPercentiles ? instrument.unit : rateUnit;
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
          <DataTable caption="Lines" columns={lineColumns(unit)} rows={shown} rowId={({ label }) => label} />
        </div>
      )}
    </>
  );
}

function percentileLines(lines: readonly MetricLine[], statistic: Statistic | undefined): readonly ChartLine[] {
  if (statistic !== undefined) {
    return lines.flatMap((line) => {
      const values = line[statistic];
      return values === undefined ? [] : [{ label: line.label, values }];
    });
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
            {name.slice(0, 60)}
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

const lineColumns = (unit: string): readonly Column<ChartLine>[] => [
  {
    key: "label",
    title: "Line",
    cell: ({ label }) => (
      <span class="two-lines" title={label}>
        {label}
      </span>
    ),
  },
  {
    key: "trend",
    title: "Over time",
    cell: ({ label, values }) => <Sparkline label={label} steps={values} unit={unit} />,
  },
  { key: "last", title: "Last", isNumber: true, cell: ({ values }) => formatQuantity(knownOf(values).at(-1), unit) },
  {
    key: "mean",
    title: "Mean",
    isNumber: true,
    cell: ({ values }) => {
      const known = knownOf(values);
      return formatQuantity(known.length === 0 ? null : known.reduce((a, b) => a + b, 0) / known.length, unit);
    },
  },
  {
    key: "max",
    title: "Max",
    isNumber: true,
    cell: ({ values }) =>
      formatQuantity(
        knownOf(values).reduce<number | null>((a, b) => Math.max(a ?? b, b), null),
        unit,
      ),
  },
];

const exemplarColumns = (unit: string): readonly Column<Exemplar>[] => [
  {
    key: "trace",
    title: "Trace",
    cell: ({ traceId, isKept }) =>
      isKept ? (
        <a href={linkTo(["trace", traceId])}>{traceId}</a>
      ) : (
        <span class="dim">{traceId} is no longer kept</span>
      ),
  },
  { key: "time", title: "At", cell: ({ timeMs }) => formatTime(timeMs, { withMs: true }) },
  { key: "value", title: "Value", isNumber: true, cell: ({ value }) => formatQuantity(value, unit) },
];

function toPoint({ timeMs, value, traceId, isKept }: Exemplar, unit: string): ChartPoint {
  const what = `${formatQuantity(value, unit)} at ${formatTime(timeMs, { withMs: true })}`;
  return isKept
    ? { timeMs, value, label: `${what}: open its trace`, href: linkTo(["trace", traceId]) }
    : { timeMs, value, label: `${what}: its trace is no longer kept`, href: null };
}

const exemplarId = ({ traceId, timeMs }: Exemplar): string => `${traceId}-${timeMs}`;
const knownOf = ({ values }: Steps): number[] => values.filter((value) => value !== null);

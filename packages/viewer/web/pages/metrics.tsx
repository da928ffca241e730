import type { Instrument, Instruments } from "../../src/api/answers.js";
import { apiPath, useApi } from "../api.js";
import { DataTable, useSorted, type Column } from "../components/data-table.js";
import { FilterBox, matchesFilter, useFilter } from "../components/filter-box.js";
import { Empty, Loaded, NothingYet, Page } from "../components/page.js";
import { useRowKeys } from "../components/row-keys.js";
import { formatCount, formatKind, formatPlural } from "../format.js";
import { useKept } from "../kept.js";
import { linkTo, navigate, usePlace } from "../router.js";
import { showLine } from "../show-text.js";

const COLUMNS: readonly Column<Instrument>[] = [
  {
    key: "name",
    title: "Instrument",
    cell: ({ name, description }) => (
      <a class="two-lines" title={showLine(name)} href={linkTo(["metrics", name])}>
        <code>{showLine(name)}</code> <small>{showLine(description)}</small>
      </a>
    ),
    sortBy: ({ name }) => name,
  },
  { key: "kind", title: "Kind", cell: (instrument) => kindName(instrument), sortBy: kindName },
  {
    key: "unit",
    title: "Unit",
    cell: ({ unit }) => showLine(unit, 40) || <span class="dim">–</span>,
    sortBy: ({ unit }) => unit,
  },
  {
    key: "service",
    title: "Services",
    cell: ({ services }) => <span class="two-lines">{showLine(services.join(", "))}</span>,
    sortBy: ({ services }) => services.join(", "),
  },
  { key: "series", title: "Series", cell: (i) => formatCount(i.series), sortBy: (i) => i.series, isNumber: true },
  {
    key: "exemplars",
    title: "Exemplars",
    cell: ({ hasExemplars }) => (hasExemplars ? "◆ traces" : <span class="dim">–</span>),
    sortBy: ({ hasExemplars }) => (hasExemplars ? "1" : "2"),
  },
];

/** Everything that is measured. */
export function MetricsPage() {
  const { query: place } = usePlace();
  const filter = useFilter();
  const answer = useKept(
    useApi<Instruments>(apiPath(["metrics"], { service: place.get("service") }), ["metrics"], { everyMs: 5000 }),
  );
  const all = answer.data?.instruments ?? [];
  const { rows, order } = useSorted(
    COLUMNS,
    all.filter(({ name, description, unit, services }) =>
      matchesFilter(filter, [name, description, unit, ...services]),
    ),
    "name",
  );
  const chosen = useRowKeys(
    "Metrics",
    rows.map(({ name }) => name),
    (name) => navigate(linkTo(["metrics", name])),
  );
  return (
    <Page title="Metrics" tools={<FilterBox what="metrics" />}>
      <Loaded answer={answer}>
        {() =>
          all.length === 0 ? (
            <NothingYet what="metrics" isOfAllTime>
              <p>They come where the metrics of an SDK are on, by OTLP: OTEL_METRICS_EXPORTER=otlp.</p>
            </NothingYet>
          ) : rows.length === 0 ? (
            <Empty title={`No metric has “${filter}” in it.`} />
          ) : (
            <>
              <p class="dim">
                {formatPlural(all.length, "instrument")}
                {rows.length < all.length && ` · ${formatCount(rows.length)} match the filter`}
              </p>
              <DataTable
                caption="Metrics"
                columns={COLUMNS}
                rows={rows}
                rowId={({ name }) => name}
                order={order}
                chosen={chosen}
              />
            </>
          )
        }
      </Loaded>
    </Page>
  );
}

export function kindName({ kind, isMonotonic }: Instrument): string {
  return kind === "sum" ? (isMonotonic ? "counter" : "up-down counter") : formatKind(kind);
}

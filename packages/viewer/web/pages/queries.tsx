import type { Queries, QueryItem } from "../../src/api/answers.js";
import { apiPath, useApi } from "../api.js";
import { DataTable, useSorted, type Column } from "../components/data-table.js";
import { FilterBox, matchesFilter, useFilter } from "../components/filter-box.js";
import { Empty, Loaded, NothingYet, Page } from "../components/page.js";
import { useRowKeys } from "../components/row-keys.js";
import { ShareBar } from "../components/share-bar.js";
import { useMinutes, WindowPicker } from "../components/window-picker.js";
import { Worry } from "../components/worry.js";
import { formatCount, formatMs, formatPlural } from "../format.js";
import { useKept } from "../kept.js";
import { linkTo, navigate, usePlace } from "../router.js";
import { showLine } from "../show-text.js";

const COLUMNS: readonly Column<QueryItem>[] = [
  { key: "name", title: "Query", cell: (query) => <QueryName query={query} />, sortBy: ({ summary }) => summary },
  {
    key: "total",
    title: "Share of time",
    cell: ({ share }) => <ShareBar share={share} />,
    sortBy: (q) => q.totalMs,
    isNumber: true,
  },
  { key: "calls", title: "Calls", cell: (q) => formatCount(q.calls), sortBy: (q) => q.calls, isNumber: true },
  { key: "mean", title: "Mean", cell: (q) => formatMs(q.meanMs), sortBy: (q) => q.meanMs, isNumber: true },
  { key: "p95", title: "p95", cell: (q) => formatMs(q.p95Ms), sortBy: (q) => q.p95Ms, isNumber: true },
  { key: "max", title: "Max", cell: (q) => formatMs(q.maxMs), sortBy: (q) => q.maxMs, isNumber: true },
  { key: "rows", title: "Rows", cell: (q) => formatCount(q.rows), sortBy: (q) => q.rows, isNumber: true },
  { key: "slow", title: "Slow", cell: (q) => <Worry count={q.slow} />, sortBy: (q) => q.slow, isNumber: true },
  {
    key: "errors",
    title: "Errors",
    cell: (q) => <Worry count={q.errors} isError />,
    sortBy: (q) => q.errors,
    isNumber: true,
  },
];
/** Those that the API can choose its list by. */
const API_SORTS = new Set(["total", "calls", "mean", "p95"]);

/** What the databases were asked, each kind of query once. */
export function QueriesPage() {
  const { query: place } = usePlace();
  const minutes = useMinutes(15);
  const filter = useFilter();
  const sort = place.get("sort");
  const answer = useKept(
    useApi<Queries>(
      apiPath(["queries"], {
        minutes,
        service: place.get("service"),
        sort: sort !== null && API_SORTS.has(sort) ? sort : null,
      }),
      ["spans", "findings"],
    ),
  );
  const all = answer.data?.queries ?? [];
  const { rows, order } = useSorted(
    COLUMNS,
    all.filter((q) => matchesFilter(filter, [q.summary, q.text, q.system, q.namespace, q.fingerprint])),
    "total",
  );
  const chosen = useRowKeys(
    "Queries",
    rows.map(({ fingerprint }) => fingerprint),
    (fingerprint) => navigate(queryLink(fingerprint, minutes)),
  );
  return (
    <Page
      title="Queries"
      tools={
        <>
          <FilterBox what="queries" />
          <WindowPicker byDefault={15} />
        </>
      }
    >
      <Loaded answer={answer}>
        {(data) =>
          all.length === 0 ? (
            <NothingYet what="queries">
              <p>
                Look further back above. What is asked of databases, Redis and Memcached is here once it is answered.
              </p>
            </NothingYet>
          ) : (
            <>
              <p class="dim">
                {formatPlural(data.queries.length, "query", "queries")},{" "}
                {formatPlural(
                  data.queries.reduce((sum, { calls }) => sum + calls, 0),
                  "call",
                )}
                , {formatMs(data.totalMs)} in all, waits for connections included
                {rows.length < all.length && ` · ${formatCount(rows.length)} match the filter`}
              </p>
              {rows.length === 0 ? (
                <Empty title={`No query has “${filter}” in it.`} />
              ) : (
                <DataTable
                  caption="Queries"
                  columns={COLUMNS}
                  rows={rows}
                  rowId={({ fingerprint }) => fingerprint}
                  order={order}
                  chosen={chosen}
                />
              )}
            </>
          )
        }
      </Loaded>
    </Page>
  );
}

function QueryName({ query }: { readonly query: QueryItem }) {
  const minutes = useMinutes(15);
  const name = showLine(query.summary || query.text || "unnamed query");
  return (
    <a class="query-name" href={queryLink(query.fingerprint, minutes)}>
      <span class="two-lines" title={name}>
        {name} <small>{showLine([query.system, query.namespace].filter(Boolean).join(" · "), 60)}</small>
      </span>
      {query.text !== null && query.text !== query.summary && (
        <code class="ellipsis dim" title={showLine(query.text, 2000)}>
          {showLine(query.text)}
        </code>
      )}
    </a>
  );
}

const queryLink = (fingerprint: string, minutes: number): string =>
  linkTo(["queries", fingerprint], { minutes: minutes === 15 ? null : minutes });

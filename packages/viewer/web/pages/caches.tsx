import type { CacheItem, Caches } from "../../src/api/answers.js";
import { apiPath, useApi } from "../api.js";
import { ChooseLink, ChosenPart, choosePart, useChosenPart } from "../components/chosen-part.js";
import { Chart } from "../components/chart.js";
import { DataTable, useSorted, type Column } from "../components/data-table.js";
import { Figure, Figures } from "../components/figures.js";
import { FilterBox, matchesFilter, useFilter } from "../components/filter-box.js";
import { FindingList } from "../components/finding-list.js";
import { Command, Empty, Loaded, NothingYet, Page, Section } from "../components/page.js";
import { useRowKeys } from "../components/row-keys.js";
import { ShareBar } from "../components/share-bar.js";
import { Sparkline } from "../components/sparkline.js";
import { useMinutes, WindowPicker } from "../components/window-picker.js";
import { Worry } from "../components/worry.js";
import { formatCount, formatShare } from "../format.js";
import { useKept } from "../kept.js";
import { usePlace } from "../router.js";
import { showLine } from "../show-text.js";

/** More lines than this are no picture. */
const MAX_LINES = 8;

const COLUMNS: readonly Column<CacheItem>[] = [
  {
    key: "cache",
    title: "Cache",
    cell: (cache) => <ChooseLink id={cacheId(cache)} name={cache.cache} note={cache.service} />,
    sortBy: ({ cache }) => cache,
  },
  {
    key: "trend",
    title: "Over time",
    cell: ({ hitRatios }) => <Sparkline label="hit ratio" steps={hitRatios} unit="%" max={1} />,
  },
  {
    key: "ratio",
    title: "Hit ratio",
    cell: ({ hitRatio }) => <ShareBar share={hitRatio} />,
    sortBy: ({ hitRatio }) => hitRatio,
    isNumber: true,
  },
  {
    key: "lookups",
    title: "Lookups",
    cell: (cache) => formatCount(cache.hits + cache.misses),
    sortBy: (cache) => cache.hits + cache.misses,
    isNumber: true,
  },
  { key: "misses", title: "Misses", cell: (c) => formatCount(c.misses), sortBy: (c) => c.misses, isNumber: true },
  {
    key: "per",
    title: "Misses/req.",
    cell: (c) => formatCount(c.missesPerRequest),
    sortBy: (c) => c.missesPerRequest,
    isNumber: true,
  },
  {
    key: "findings",
    title: "Findings",
    cell: (c) => <Worry count={c.findings.length} />,
    sortBy: (c) => c.findings.length,
    isNumber: true,
  },
];

/** How often caches knew the answer, and what was asked for when they did not. */
export function CachesPage() {
  const { query: place } = usePlace();
  const filter = useFilter();
  const answer = useKept(
    useApi<Caches>(apiPath(["caches"], { minutes: useMinutes(15), service: place.get("service") }), [
      "spans",
      "metrics",
      "findings",
    ]),
  );
  const all = answer.data?.caches ?? [];
  const { rows, order } = useSorted(
    COLUMNS,
    all.filter(({ cache, service }) => matchesFilter(filter, [cache, service])),
    "misses",
  );
  const chosen = useRowKeys("Caches", rows.map(cacheId), choosePart);
  const shown = useChosenPart(rows, cacheId);
  return (
    <Page
      title="Caches"
      tools={
        <>
          <FilterBox what="caches" />
          <WindowPicker byDefault={15} />
        </>
      }
    >
      <Loaded answer={answer}>
        {({ fromMs, toMs }) =>
          all.length === 0 ? (
            <NothingYet what="cache lookups">
              <p>
                Lookups in Redis, Memcached and the usual caching libraries are seen by Telltale without a word. A cache
                in the program's own memory is once it has a name:
              </p>
              <Command text={`import { observeCache } from "telltale"; observeCache("users", cache);`} />
            </NothingYet>
          ) : shown === undefined ? (
            <Empty title={`No cache has “${filter}” in its name.`} />
          ) : (
            <>
              <div class="section">
                <Chart
                  title={`Hit ratio${rows.length > MAX_LINES ? `, of the first ${MAX_LINES} below` : ""}`}
                  unit="%"
                  height={160}
                  lines={labelled(rows.slice(0, MAX_LINES))}
                  fromMs={fromMs}
                  toMs={toMs}
                />
              </div>
              <DataTable
                caption="Caches"
                columns={COLUMNS}
                rows={rows}
                rowId={cacheId}
                order={order}
                chosen={chosen}
                current={cacheId(shown)}
              />
              <CacheDetail key={cacheId(shown)} cache={shown} fromMs={fromMs} toMs={toMs} />
            </>
          )
        }
      </Loaded>
    </Page>
  );
}

function CacheDetail({
  cache,
  fromMs,
  toMs,
}: {
  readonly cache: CacheItem;
  readonly fromMs: number;
  readonly toMs: number;
}) {
  return (
    <ChosenPart title={cache.cache} note={cache.service}>
      <Figures>
        <Figure name="hit ratio">{formatShare(cache.hitRatio)}</Figure>
        <Figure name="hits">{formatCount(cache.hits)}</Figure>
        <Figure name="misses">{formatCount(cache.misses)}</Figure>
        <Figure name="misses per request">{formatCount(cache.missesPerRequest)}</Figure>
      </Figures>
      <FindingList findings={cache.findings} />
      <div class="side-by-side">
        <div class="section">
          <Chart
            title="Lookups per second"
            unit="{lookup}/s"
            height={140}
            lines={[{ label: "lookups", values: cache.lookups }]}
            fromMs={fromMs}
            toMs={toMs}
          />
          <Chart
            title="Hit ratio"
            unit="%"
            height={140}
            lines={[{ label: "hit ratio", values: cache.hitRatios }]}
            fromMs={fromMs}
            toMs={toMs}
          />
        </div>
        <Section title="Hottest patterns">
          {cache.patterns.length === 0 ? (
            <Empty title="Its spans tell no keys.">
              <p>Only the counts of its lookups are known.</p>
            </Empty>
          ) : (
            <DataTable
              caption="Hottest patterns"
              columns={PATTERN_COLUMNS}
              rows={cache.patterns}
              rowId={({ pattern }) => pattern}
            />
          )}
        </Section>
      </div>
    </ChosenPart>
  );
}

const PATTERN_COLUMNS: readonly Column<CacheItem["patterns"][number]>[] = [
  {
    key: "pattern",
    title: "Pattern",
    cell: ({ pattern }) => (
      <code class="two-lines" title={showLine(pattern)}>
        {showLine(pattern)}
      </code>
    ),
  },
  { key: "lookups", title: "Lookups", isNumber: true, cell: ({ lookups }) => formatCount(lookups) },
  { key: "misses", title: "Misses", isNumber: true, cell: ({ misses }) => formatCount(misses) },
  {
    key: "ratio",
    title: "Hit ratio",
    isNumber: true,
    cell: ({ lookups, misses }) => (
      <ShareBar share={misses === null || lookups === 0 ? null : Math.max(0, 1 - misses / lookups)} />
    ),
  },
];

const cacheId = ({ service, cache }: CacheItem): string => `${service}/${cache}`;

/** By name, so that a line keeps its colour when the table's order changes. Two services may have a cache of one name. */
function labelled(caches: readonly CacheItem[]) {
  const isShared = (name: string) => caches.filter(({ cache }) => cache === name).length > 1;
  return caches
    .map(({ service, cache, hitRatios }) => ({
      label: showLine(isShared(cache) ? `${cache} (${service})` : cache, 100),
      values: hitRatios,
    }))
    .sort((a, b) => a.label.localeCompare(b.label));
}

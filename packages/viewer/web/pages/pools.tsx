import type { PoolItem, Pools, Steps } from "../../src/api/answers.js";
import { apiPath, useApi } from "../api.js";
import { Chart, type ChartLine } from "../components/chart.js";
import { ChooseLink, ChosenPart, choosePart, useChosenPart } from "../components/chosen-part.js";
import { DataTable, useSorted, type Column } from "../components/data-table.js";
import { Figure, Figures } from "../components/figures.js";
import { FilterBox, matchesFilter, useFilter } from "../components/filter-box.js";
import { FindingList } from "../components/finding-list.js";
import { Empty, Loaded, NothingYet, Page, Section } from "../components/page.js";
import { RouteLink } from "../components/route-link.js";
import { useRowKeys } from "../components/row-keys.js";
import { ShareBar } from "../components/share-bar.js";
import { Sparkline } from "../components/sparkline.js";
import { useMinutes, WindowPicker } from "../components/window-picker.js";
import { Worry } from "../components/worry.js";
import { formatCount, formatMs } from "../format.js";
import { useKept } from "../kept.js";
import { usePlace } from "../router.js";

const COLUMNS: readonly Column<PoolItem>[] = [
  {
    key: "pool",
    title: "Pool",
    cell: (pool) => <ChooseLink id={poolId(pool)} name={pool.pool} note={`${pool.service} · ${pool.instance}`} />,
    sortBy: ({ pool }) => pool,
  },
  {
    key: "trend",
    title: "Used",
    cell: ({ used, limit }) => (
      <Sparkline label="used" steps={used} unit="{connection}" {...(limit === null ? {} : { max: limit })} />
    ),
  },
  {
    key: "used",
    title: "Used, most",
    cell: (pool) => {
      const used = nowOf(pool.used);
      if (used === null || pool.limit === null) return formatCount(used);
      return (
        <span class="share">
          <ShareBar share={used / pool.limit} isBad={used >= pool.limit} />
          <span class="pool-used">
            {formatCount(used)} of {formatCount(pool.limit)}
          </span>
        </span>
      );
    },
    sortBy: ({ used }) => nowOf(used),
    isNumber: true,
  },
  {
    key: "pending",
    title: "Waiting, most",
    cell: ({ pending }) => {
      const now = nowOf(pending);
      return now === null ? "–" : <Worry count={now} />;
    },
    sortBy: ({ pending }) => nowOf(pending),
    isNumber: true,
  },
  {
    key: "wait",
    title: "Wait p95",
    cell: (p) => waitText(p, p.waits.p95Ms),
    sortBy: (p) => p.waits.p95Ms,
    isNumber: true,
  },
  {
    key: "max",
    title: "Wait max",
    cell: (p) => waitText(p, p.waits.maxMs),
    sortBy: (p) => p.waits.maxMs,
    isNumber: true,
  },
  {
    key: "timeouts",
    title: "Timeouts",
    cell: ({ timeouts }) => <Worry count={timeouts} isError />,
    sortBy: ({ timeouts }) => timeouts,
    isNumber: true,
  },
  {
    key: "findings",
    title: "Findings",
    cell: ({ findings }) => <Worry count={findings.length} />,
    sortBy: ({ findings }) => findings.length,
    isNumber: true,
  },
];

/** How full pools of connections are, who waits for them, and who keeps them. */
export function PoolsPage() {
  const { query: place } = usePlace();
  const filter = useFilter();
  const answer = useKept(
    useApi<Pools>(apiPath(["pools"], { minutes: useMinutes(15), service: place.get("service") }), [
      "metrics",
      "spans",
      "findings",
    ]),
  );
  const all = answer.data?.pools ?? [];
  const { rows, order } = useSorted(
    COLUMNS,
    all.filter(({ pool, service, instance, system }) => matchesFilter(filter, [pool, service, instance, system])),
    "max",
  );
  const chosen = useRowKeys("Pools", rows.map(poolId), choosePart);
  const shown = useChosenPart(rows, poolId);
  return (
    <Page
      title="Pools"
      tools={
        <>
          <FilterBox what="pools" />
          <WindowPicker byDefault={15} />
        </>
      }
    >
      <Loaded answer={answer}>
        {({ fromMs, toMs }) =>
          all.length === 0 ? (
            <NothingYet what="connection pools">
              <p>
                A pool is here from its first connection on. Pools of databases and of HTTP agents are told by Telltale.
              </p>
            </NothingYet>
          ) : shown === undefined ? (
            <Empty title={`No pool has “${filter}” in its name.`} />
          ) : (
            <>
              <DataTable
                caption="Pools"
                columns={COLUMNS}
                rows={rows}
                rowId={poolId}
                order={order}
                chosen={chosen}
                current={poolId(shown)}
              />
              <PoolDetail key={poolId(shown)} pool={shown} fromMs={fromMs} toMs={toMs} />
            </>
          )
        }
      </Loaded>
    </Page>
  );
}

function PoolDetail({
  pool,
  fromMs,
  toMs,
}: {
  readonly pool: PoolItem;
  readonly fromMs: number;
  readonly toMs: number;
}) {
  const { waits, timeouts, findings, holders } = pool;
  const heldMs = holders.reduce((sum, holder) => sum + holder.heldMs, 0);
  return (
    <ChosenPart title={pool.pool} note={[pool.service, pool.instance, pool.system].filter(Boolean).join(" · ")}>
      <Figures>
        <Figure name="limit">{formatCount(pool.limit)}</Figure>
        <Figure name="waits">{formatCount(waits.count)}</Figure>
        <Figure name="wait p50">{waitText(pool, waits.p50Ms)}</Figure>
        <Figure name="wait p95">{waitText(pool, waits.p95Ms)}</Figure>
        <Figure name="wait max">{waitText(pool, waits.maxMs)}</Figure>
        <Figure name="timeouts" isBad={timeouts > 0}>
          {formatCount(timeouts)}
        </Figure>
      </Figures>
      <FindingList findings={findings} />
      <div class="section">
        <Chart
          title="Connections, and who waits for one"
          unit="{connection}"
          lines={poolLines(pool)}
          fromMs={fromMs}
          toMs={toMs}
        />
      </div>
      <Section title="Who held its connections" note="while queries ran, most time first">
        {holders.length === 0 ? (
          <Empty title="No span tells who held them." />
        ) : (
          <DataTable
            caption="Holders"
            columns={holderColumns(pool.service, heldMs)}
            rows={holders}
            rowId={({ route }) => route}
          />
        )}
      </Section>
    </ChosenPart>
  );
}

type Holder = PoolItem["holders"][number];

const holderColumns = (service: string, allMs: number): readonly Column<Holder>[] => [
  {
    key: "route",
    title: "Route",
    cell: ({ route }) => <RouteLink service={service} route={route} />,
  },
  {
    key: "share",
    title: "Of the time held",
    isNumber: true,
    cell: ({ heldMs }) => <ShareBar share={allMs === 0 ? null : heldMs / allMs} />,
  },
  { key: "held", title: "Held", isNumber: true, cell: ({ heldMs }) => formatMs(heldMs) },
  { key: "calls", title: "Queries", isNumber: true, cell: ({ calls }) => formatCount(calls) },
  {
    key: "mean",
    title: "Each",
    isNumber: true,
    cell: ({ heldMs, calls }) => formatMs(calls === 0 ? null : heldMs / calls),
  },
];

function poolLines({ used, idle, pending, limit }: PoolItem): readonly ChartLine[] {
  const lines: ChartLine[] = [
    { label: "used, most", values: used },
    { label: "idle", values: idle },
    { label: "waiting, most", values: pending },
  ];
  if (limit !== null) lines.push({ label: "limit", values: { ...used, values: used.values.map(() => limit) } });
  return lines;
}

const poolId = ({ service, instance, pool }: PoolItem): string => `${service}/${instance}/${pool}`;

/** Longer ago than this is not now. */
const NOW_MS = 120_000;

function nowOf({ fromMs, stepMs, values }: Steps): number | null {
  const last = values.findLastIndex((value) => value !== null);
  return last >= 0 && fromMs + (last + 1) * stepMs > Date.now() - NOW_MS ? (values[last] ?? null) : null;
}

const waitText = ({ waits }: PoolItem, ms: number): string => (waits.count === 0 ? "–" : formatMs(ms));

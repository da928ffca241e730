import type { QueryDetail } from "../../src/api/answers.js";
import { apiPath, useApi } from "../api.js";
import { Chart } from "../components/chart.js";
import { CopyButton } from "../components/copy-button.js";
import { DataTable, type Column } from "../components/data-table.js";
import { Figure, Figures } from "../components/figures.js";
import { FindingList } from "../components/finding-list.js";
import { Empty, Loaded, Page, Section } from "../components/page.js";
import { RouteLink } from "../components/route-link.js";
import { useRowKeys } from "../components/row-keys.js";
import { ShareBar } from "../components/share-bar.js";
import { SqlText } from "../components/sql-text.js";
import { useMinutes, WindowPicker } from "../components/window-picker.js";
import { formatCount, formatMs, formatShare, formatTime } from "../format.js";
import { layOutJson } from "../json-layout.js";
import { useKept } from "../kept.js";
import { linkTo, navigate } from "../router.js";
import { showLine, showLines } from "../show-text.js";

type Caller = QueryDetail["callers"][number];
type Example = QueryDetail["examples"][number];

/** From so many calls in one request on, it is worth a look. */
const MANY_PER_REQUEST = 5;

/** One kind of query: its text, who asks it and from where, and requests in which it ran. */
export function QueryPage({ fingerprint }: { readonly fingerprint: string }) {
  const minutes = useMinutes(15);
  const answer = useKept(useApi<QueryDetail>(apiPath(["query", fingerprint], { minutes }), ["spans", "findings"]));
  const examples = answer.data?.examples ?? [];
  const chosen = useRowKeys("Example traces", examples.map(exampleId), (id) => {
    const example = examples.find((one) => exampleId(one) === id);
    if (example) navigate(exampleLink(example));
  });
  const query = answer.data?.query;
  const summary = showLine(query?.summary || query?.text || "Query", 200);
  return (
    <Page
      title={summary.slice(0, 100)}
      heading={
        <>
          <a href={linkTo(["queries"], { minutes: minutes === 15 ? null : minutes })}>Queries</a>{" "}
          <span class="dim">/</span> {summary}
        </>
      }
      tools={<WindowPicker byDefault={15} />}
    >
      <Loaded answer={answer}>{(data) => <Detail data={data} minutes={minutes} chosen={chosen} />}</Loaded>
    </Page>
  );
}

function Detail({
  data,
  minutes,
  chosen,
}: {
  readonly data: QueryDetail;
  readonly minutes: number;
  readonly chosen: string | undefined;
}) {
  const { query, callers, sites, durations, plan, findings, examples } = data;
  const totalMs = callers.reduce((sum, caller) => sum + caller.totalMs, 0);
  return (
    <>
      <QueryFigures data={data} />
      <FindingList findings={findings} />
      <Section
        title="Text"
        note={
          <>
            {showLine([query.system, query.namespace].filter(Boolean).join(" · "), 60)}{" "}
            {query.text !== null && <CopyButton text={query.text} />}
          </>
        }
      >
        {query.text === null ? (
          <p class="dim">Its spans say no text, only “{showLine(query.summary)}”.</p>
        ) : (
          <SqlText text={query.text} />
        )}
      </Section>
      <div class="section">
        <Chart
          title="Mean duration"
          unit="ms"
          lines={[{ label: "duration", values: durations }]}
          fromMs={durations.fromMs}
          toMs={durations.fromMs + durations.values.length * durations.stepMs}
        />
      </div>
      <div class="side-by-side">
        <Section title="Callers">
          {callers.length === 0 ? (
            <Empty title="No request asked it in this time." />
          ) : (
            <DataTable
              caption="Callers"
              columns={callerColumns(totalMs)}
              rows={callers}
              rowId={({ service, route }) => `${service} ${route}`}
            />
          )}
        </Section>
        <Section title="Example traces" note="the slowest, and some that are typical">
          {examples.length === 0 ? (
            <Empty title={`No trace of it is kept from the last ${minutes} minutes.`} />
          ) : (
            <DataTable
              caption="Example traces"
              isNarrow
              columns={EXAMPLE_COLUMNS}
              rows={examples}
              rowId={exampleId}
              chosen={chosen}
            />
          )}
        </Section>
      </div>
      {sites.length > 0 && (
        <Section title="Called from">
          <ul class="plain sites">
            {sites.map(({ site, calls }) => (
              <li key={site}>
                <code>{showLine(site)}</code> <small>{formatCount(calls)} ×</small>
              </li>
            ))}
          </ul>
        </Section>
      )}
      {plan !== null && (
        <Section title="Plan" note={<CopyButton text={plan} />}>
          <pre class="plan" tabIndex={0} aria-label="Query plan">
            {showLines(layOutJson(plan))}
          </pre>
        </Section>
      )}
    </>
  );
}

function QueryFigures({ data: { query } }: { readonly data: QueryDetail }) {
  return (
    <Figures>
      <Figure name="calls">{formatCount(query.calls)}</Figure>
      <Figure name="of all query time">{formatShare(query.share)}</Figure>
      <Figure name="in total">{formatMs(query.totalMs)}</Figure>
      <Figure name="mean">{formatMs(query.meanMs)}</Figure>
      <Figure name="p95">{formatMs(query.p95Ms)}</Figure>
      <Figure name="max">{formatMs(query.maxMs)}</Figure>
      <Figure name="rows, mean">{formatCount(query.rows)}</Figure>
      <Figure name="slow" isBad={query.slow > 0}>
        {formatCount(query.slow)}
      </Figure>
      <Figure name="errors" isBad={query.errors > 0}>
        {formatCount(query.errors)}
      </Figure>
    </Figures>
  );
}

const callerColumns = (allMs: number): readonly Column<Caller>[] => [
  {
    key: "route",
    title: "Route",
    cell: ({ service, route }) => <RouteLink service={service} route={route} note={service} />,
  },
  {
    key: "per",
    title: "Per request",
    isNumber: true,
    cell: ({ route, perRequest }) =>
      route === "" ? (
        "–"
      ) : (
        <span class={perRequest >= MANY_PER_REQUEST ? "warn" : ""}>
          {perRequest >= MANY_PER_REQUEST && "▲ "}
          {formatCount(perRequest)}
        </span>
      ),
  },
  { key: "calls", title: "Calls", isNumber: true, cell: ({ calls }) => formatCount(calls) },
  {
    key: "share",
    title: "Of its time",
    isNumber: true,
    cell: ({ totalMs }) => <ShareBar share={allMs === 0 ? null : totalMs / allMs} />,
  },
];

const EXAMPLE_COLUMNS: readonly Column<Example>[] = [
  {
    key: "trace",
    title: "Trace",
    cell: (example) => <a href={exampleLink(example)}>{formatTime(example.startMs, { withMs: true })}</a>,
  },
  { key: "kind", title: "", cell: ({ isSlowest }) => (isSlowest ? "slowest" : <span class="dim">typical</span>) },
  { key: "took", title: "Took", isNumber: true, cell: ({ durationMs }) => formatMs(durationMs) },
];

const exampleId = ({ traceId, spanId }: Example): string => `${traceId}-${spanId}`;
const exampleLink = ({ traceId, spanId }: Example): string => linkTo(["trace", traceId], { span: spanId });

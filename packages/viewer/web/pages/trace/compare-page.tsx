import { useMemo, useState } from "preact/hooks";
import type { Trace } from "../../../src/api/answers.js";
import { apiPath, useApi } from "../../api.js";
import { Loaded, Page, Section } from "../../components/page.js";
import { formatCount, formatMs, formatPlural, formatTime } from "../../format.js";
import { linkTo } from "../../router.js";
import { showLine } from "../../show-text.js";
import { ComparePicker } from "./compare-picker.js";
import { CompareTable, SIGNS } from "./compare-table.js";
import { compareTraces, rankChanges, type PathRow } from "./compare-traces.js";
import { nameSpan } from "./name-span.js";
import { formatDifference } from "./format-time.js";

/** What one trace does otherwise than another of its route. */
export function ComparePage({ traceId, otherId }: { readonly traceId: string; readonly otherId: string }) {
  const after = useApi<Trace>(apiPath(["trace", traceId]));
  const before = useApi<Trace>(apiPath(["trace", otherId]));
  return (
    <Page
      title="Compare"
      heading="Two traces compared"
      tools={
        <>
          {after.data && <ComparePicker trace={after.data} other={otherId} />}
          <a href={linkTo(["trace", otherId, "compare", traceId])}>Swap</a>
        </>
      }
    >
      <Loaded answer={before}>
        {(before) => <Loaded answer={after}>{(after) => <Comparison before={before} after={after} />}</Loaded>}
      </Loaded>
    </Page>
  );
}

function Comparison({ before, after }: { readonly before: Trace; readonly after: Trace }) {
  const [isAll, setAll] = useState(false);
  const rows = useMemo(() => compareTraces(before, after), [before, after]);
  const ranked = useMemo(() => rankChanges(rows, 5), [rows]);
  const changed = useMemo(() => rows.filter(({ change }) => change !== "same"), [rows]);
  return (
    <>
      <div class="compare-heads">
        <TraceHead label="A" trace={before} />
        <TraceHead label="B" trace={after} />
        <p>
          {tellDifference(before.durationMs, after.durationMs)}
          {before.leftOut + after.leftOut > 0 &&
            `; ${(before.leftOut + after.leftOut).toLocaleString("en")} spans are too many to be compared`}
          .
        </p>
      </div>
      {ranked.length > 0 && (
        <Section title="Where the difference comes from" note="own time, without that of children">
          <ul class="compare-reasons">
            {ranked.map((row, number) => (
              <li key={number}>
                <b class="num">{formatDifference(row.selfDifferenceMs)}</b>
                <span>
                  <bdi>{showLine(row.name, 160)}</bdi>: {SIGNS[row.change]} {tellChange(row)}
                </span>
              </li>
            ))}
          </ul>
        </Section>
      )}
      <Section
        title="Paths"
        note={
          <>
            {changed.length} of {rows.length} differ{" "}
            <label>
              <input type="checkbox" checked={isAll} onChange={(event) => setAll(event.currentTarget.checked)} /> show
              all
            </label>
          </>
        }
      >
        {changed.length === 0 && !isAll ? (
          <p>Both did the same, in about the same time.</p>
        ) : (
          <CompareTable rows={isAll ? rows : changed} before={before.traceId} after={after.traceId} />
        )}
      </Section>
    </>
  );
}

/** `B took 50.5 ms less than A: 0.67 times as long`. */
function tellDifference(beforeMs: number, afterMs: number): string {
  const differenceMs = afterMs - beforeMs;
  if (differenceMs === 0) return "Both took the same time";
  const times = beforeMs > 0 ? `: ${formatCount(afterMs / beforeMs)} times as long` : "";
  return `B took ${formatMs(Math.abs(differenceMs))} ${differenceMs > 0 ? "more" : "less"} than A${times}`;
}

/** `1 → 25 times`. */
function tellChange({ change, before, after }: PathRow): string {
  const errors = after.errors - before.errors;
  const failed = errors === 0 ? "" : `, ${formatPlural(Math.abs(errors), "error")} ${errors > 0 ? "more" : "fewer"}`;
  if (change === "new") return `new, ${formatPlural(after.count, "time")}${failed}`;
  if (change === "gone") return `gone, was there ${formatPlural(before.count, "time")}${failed}`;
  if (change === "more" || change === "fewer") return `${before.count} → ${after.count} times${failed}`;
  return `${change}${failed}`;
}

function TraceHead({ label, trace }: { readonly label: string; readonly trace: Trace }) {
  const [root] = trace.spans;
  return (
    <p>
      <b>{label}</b>{" "}
      <a href={linkTo(["trace", trace.traceId])}>
        <bdi>{showLine(root ? nameSpan(root) : "", 120)}</bdi>
      </a>
      , {formatMs(trace.durationMs)} <small>at {formatTime(trace.startMs, { withMs: true })}</small>,{" "}
      {formatPlural(trace.spans.length + trace.leftOut, "span")}
    </p>
  );
}

import { useRef } from "preact/hooks";
import { formatMs } from "../../format.js";
import { linkTo } from "../../router.js";
import { showLine } from "../../show-text.js";
import type { ChangeOfPath, PathRow, Side } from "./compare-traces.js";
import { formatDifference } from "./format-time.js";
import { visibleRows } from "./lay-out-rows.js";
import { useBox, useNarrow } from "./use-box.js";

/** A change is told by sign and word, not by its colour. */
export const SIGNS: Readonly<Record<ChangeOfPath, string>> = {
  new: "+",
  gone: "−",
  more: "⇈",
  fewer: "⇊",
  slower: "▲",
  faster: "▼",
  same: "=",
};

/** Paths of names with what either trace spent on them; only lines in sight are drawn. */
export function CompareTable({
  rows,
  before,
  after,
}: {
  readonly rows: readonly PathRow[];
  /** Ids of the traces. */
  readonly before: string;
  readonly after: string;
}) {
  const box = useRef<HTMLDivElement>(null);
  const { top, height } = useBox(box);
  const rowHeight = useNarrow() ? 64 : 30;
  const { first, end } = visibleRows(top, height, rowHeight, rows.length);
  const longestMs = rows.reduce((most, row) => Math.max(most, row.before.totalMs, row.after.totalMs), 0);
  return (
    <div ref={box} class="cmp" role="table" aria-label="Paths" aria-rowcount={rows.length + 1} tabIndex={0}>
      <div class="cmp-head cmp-row" role="row" aria-rowindex={1}>
        <div role="columnheader">Path</div>
        <div role="columnheader">Change</div>
        <div role="columnheader" class="num">
          A
        </div>
        <div role="columnheader" class="num">
          B
        </div>
        <div role="columnheader" class="num">
          Difference
        </div>
        <div role="columnheader">A over B</div>
      </div>
      <div class="cmp-rows" role="rowgroup" style={{ height: `${rows.length * rowHeight}px` }}>
        {rows.slice(first, end).map((row, number) => (
          <div
            key={first + number}
            class="cmp-row"
            role="row"
            aria-rowindex={first + number + 2}
            style={{ transform: `translateY(${(first + number) * rowHeight}px)`, height: `${rowHeight}px` }}
          >
            <div role="cell" class="cmp-name" style={{ paddingLeft: `${Math.min(row.level, 16) * 12}px` }}>
              <span class="ellipsis" title={showLine(`${row.service}: ${row.name}`, 500)}>
                <bdi>{showLine(row.name)}</bdi>
              </span>
            </div>
            <div role="cell" class="cmp-change" data-change={row.change}>
              {SIGNS[row.change]} {row.change}
            </div>
            <Cell side={row.before} traceId={before} label="A" />
            <Cell side={row.after} traceId={after} label="B" />
            <div role="cell" class="num cmp-difference">
              {formatDifference(row.differenceMs)}
            </div>
            <div role="cell" class="cmp-bars" aria-hidden="true">
              {row.before.count > 0 && <i data-side="a" style={{ width: share(row.before.totalMs, longestMs) }} />}
              {row.after.count > 0 && <i data-side="b" style={{ width: share(row.after.totalMs, longestMs) }} />}
            </div>
          </div>
        ))}
      </div>
    </div>
  );
}

const share = (ms: number, longestMs: number): string => `${longestMs > 0 ? (ms / longestMs) * 100 : 0}%`;

function Cell({ side, traceId, label }: { readonly side: Side; readonly traceId: string; readonly label: string }) {
  return (
    <div role="cell" class="num" data-label={label}>
      {side.spanId === null ? (
        <span class="dim">–</span>
      ) : (
        <a href={linkTo(["trace", traceId], { span: side.spanId })}>
          {side.count > 1 && `${side.count} × `}
          {formatMs(side.count > 1 ? side.totalMs / side.count : side.totalMs)}
          {side.errors > 0 && <span class="bad"> ✕{side.errors > 1 && ` ${side.errors}`}</span>}
        </a>
      )}
    </div>
  );
}

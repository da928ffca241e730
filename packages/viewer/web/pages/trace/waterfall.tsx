import { useEffect, useRef } from "preact/hooks";
import { visibleRows, type Row } from "./lay-out-rows.js";
import { LogMarks } from "./span-bar.js";
import { TimeAxis } from "./time-axis.js";
import type { TimeRange } from "./time-range.js";
import type { TraceModel } from "./trace-model.js";
import { useBox, useNarrow } from "./use-box.js";
import { useZoom } from "./use-zoom.js";
import { WaterfallRow } from "./waterfall-row.js";

const rowId = (place: number): string => `wf-row-${place}`;

/** The lines of a trace over its time. Only those in sight are drawn, however many there are. */
export function Waterfall({
  model,
  rows,
  chosen,
  matches,
  range,
  onRange,
  onChoose,
  onFold,
  onKeyDown,
}: {
  readonly model: TraceModel;
  readonly rows: readonly Row[];
  /** Place of the chosen line, -1 for none. */
  readonly chosen: number;
  /** Indices of the spans that were searched for. */
  readonly matches: ReadonlySet<number>;
  readonly range: TimeRange;
  readonly onRange: (range: TimeRange) => void;
  readonly onChoose: (place: number) => void;
  readonly onFold: (place: number) => void;
  readonly onKeyDown: (event: KeyboardEvent) => void;
}) {
  const box = useRef<HTMLDivElement>(null);
  const { top, height, width } = useBox(box);
  const isNarrow = useNarrow();
  const rowHeight = isNarrow ? 42 : 26;
  const drag = useZoom(box, range, model.whole, onRange);
  const { first, end } = visibleRows(top, height, rowHeight, rows.length);

  const shownFor = useRef("");
  useEffect(() => {
    const element = box.current;
    const now = `${chosen} ${height}`;
    if (!element || chosen < 0 || shownFor.current === now) return;
    shownFor.current = now;
    showRow(element, chosen, rowHeight);
  }, [chosen, height, rowHeight]);

  const shown = rows.slice(first, end);
  return (
    <div
      ref={box}
      class="wf"
      role="treegrid"
      aria-label="Spans over time"
      aria-rowcount={rows.length + 1}
      aria-colcount={3}
      aria-activedescendant={chosen >= first && chosen < end ? rowId(chosen) : undefined}
      tabIndex={0}
      onKeyDown={onKeyDown}
    >
      <div class="wf-head" role="row" aria-rowindex={1}>
        <div class="wf-name" role="columnheader">
          Span
        </div>
        <div class="wf-ms num" role="columnheader">
          Duration
        </div>
        <div class="wf-time" role="columnheader" data-timeline="touch" aria-label="Time from the trace's start">
          <TimeAxis range={range} width={isNarrow ? width : width * 0.55} />
          <LogMarks logs={model.otherLogs} range={range} />
        </div>
      </div>
      <div class="wf-rows" role="rowgroup" style={{ height: `${rows.length * rowHeight}px` }}>
        {shown.map((row, number) => {
          const place = first + number;
          return (
            <WaterfallRow
              key={`${row.members ? "group " : ""}${row.key}`}
              id={rowId(place)}
              model={model}
              row={row}
              place={place}
              top={place * rowHeight}
              range={range}
              isChosen={place === chosen}
              isMatch={matches.has(row.index) || (row.members?.some((index) => matches.has(index)) ?? false)}
              onChoose={() => onChoose(place)}
              onFold={() => onFold(place)}
            />
          );
        })}
        {drag && (
          <div class="wf-drag" aria-hidden="true" style={{ top: `${top}px`, height: `${height}px` }}>
            <div style={{ left: `${drag.from * 100}%`, width: `${(drag.to - drag.from) * 100}%` }} />
          </div>
        )}
      </div>
    </div>
  );
}

/** Scrolls the box to the line, and the page to the box where the line would still be out of sight: below its edge, or a sheet's. */
function showRow(box: HTMLElement, place: number, rowHeight: number): void {
  const axis = box.querySelector<HTMLElement>(".wf-head")?.offsetHeight ?? 0;
  const room = box.clientHeight - axis;
  const rowTop = place * rowHeight;
  if (rowTop < box.scrollTop) box.scrollTop = rowTop;
  else if (rowTop + rowHeight > box.scrollTop + room) box.scrollTop = rowTop + rowHeight - room;
  const top = box.getBoundingClientRect().top + axis + rowTop - box.scrollTop;
  const sheet = document.querySelector(".span-details");
  const end = sheet && getComputedStyle(sheet).position === "fixed" ? sheet.getBoundingClientRect().top : innerHeight;
  if (top < 60 + axis || top + rowHeight > end) box.scrollIntoView({ block: "start" });
}

import { formatTick } from "./format-time.js";
import { place, tickTimes, type TimeRange } from "./time-range.js";

/** The times above the bars, and the lines through them. */
export function TimeAxis({ range, width }: { readonly range: TimeRange; readonly width: number }) {
  const ticks = tickTimes(range, Math.max(2, Math.floor(width / 90)));
  const stepMs = (ticks[1] ?? 0) - (ticks[0] ?? 0);
  return (
    <>
      {ticks.map((ms) => {
        const left = place(ms, 0, range)?.left ?? 0;
        return (
          <span
            key={ms}
            class="wf-tick"
            data-end={left > 0.93 ? "" : undefined}
            style={{ left: `${(left * 100).toFixed(3)}%` }}
          >
            {formatTick(ms, stepMs || range.toMs - range.fromMs)}
          </span>
        );
      })}
    </>
  );
}

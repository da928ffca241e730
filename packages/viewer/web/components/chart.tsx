import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import type { Steps } from "../../src/api/answers.js";
import { formatTime } from "../format.js";
import { useTheme } from "../theme.js";
import { showLine } from "../show-text.js";
import { chartOptions, type ChartTheme } from "./chart-options.js";
import { placePoints, type ChartPoint } from "./chart-points.js";
import { lineClass, LineSample } from "./line-style.js";
import { formatQuantity } from "./quantity.js";
import { describe } from "./sparkline.js";
export interface ChartLine {
  /** Unique within the chart. */
  readonly label: string;
  readonly values: Steps;
}

export interface ChartProps {
  readonly title: string;
  readonly lines: readonly ChartLine[];
  /** As in OpenTelemetry: `ms`, `By`, `{request}/s`, or `%` for a ratio from 0 to 1. */
  readonly unit: string;
  readonly fromMs: number;
  readonly toMs: number;
  /** In CSS pixels; 180 by default. */
  readonly height?: number;
  /** Traces to click on, drawn over the lines. */
  readonly points?: readonly ChartPoint[];
  /** Charts with one key share the crosshair; all of a page by default. */
  readonly sync?: string;
}

/**
 * Lines over time with a crosshair; the legend tells the values under it, or the last ones, and turns lines off and on. The arrow keys
 * move the crosshair. New data is drawn into the chart that is there: nothing flickers.
 */
export function Chart({ title, lines, unit, fromMs, toMs, height = 180, points = [], sync = "page" }: ChartProps) {
  const host = useRef<HTMLDivElement>(null);
  const legend = useRef<HTMLUListElement>(null);
  const plot = useRef<uPlot | null>(null);
  const range = useRef<readonly [number, number]>([fromMs, toMs]);
  const theme = useRef<ChartTheme>({ font: "12px sans-serif", text: "gray", grid: "gray", lines: [] });
  const shownPoints = useRef(points);
  const colours = useTheme();
  const [at, setAt] = useState<number | null>(null);
  const [hidden, setHidden] = useState<ReadonlySet<string>>(new Set());

  range.current = [fromMs, toMs];
  shownPoints.current = points;
  const data = useMemo(() => alignLines(lines), [lines]);
  const labels = lines.map((line) => line.label);
  const shape = JSON.stringify([unit, sync, height, labels]);

  useEffect(() => {
    const box = host.current;
    if (box === null) return;
    theme.current = readTheme(box, legend.current);
    const made = new uPlot(
      chartOptions(
        { labels, unit, sync, isFilled: labels.length === 1 },
        { width: box.clientWidth || 300, height },
        () => theme.current,
        () => range.current,
      ),
      data,
      box,
    );
    made.hooks.setCursor = [
      (u) => setAt(u.cursor.left !== undefined && u.cursor.left >= 0 ? (u.cursor.idx ?? null) : null),
    ];
    made.hooks.draw = [(u) => placePoints(u, shownPoints.current)];
    plot.current = made;
    placePoints(made, shownPoints.current);
    const resized = new ResizeObserver(() => {
      if (box.clientWidth > 0 && box.clientWidth !== made.width) made.setSize({ width: box.clientWidth, height });
    });
    resized.observe(box);
    return () => {
      resized.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [shape]);

  useEffect(() => {
    if (host.current === null) return;
    theme.current = readTheme(host.current, legend.current);
    plot.current?.redraw(false);
  }, [colours]);
  useEffect(() => plot.current?.setData(data), [data, fromMs, toMs, points]);
  useEffect(() => {
    labels.forEach((label, i) => plot.current?.setSeries(i + 1, { show: !hidden.has(label) }));
  }, [hidden, shape]);

  const toggle = (label: string) => {
    const next = new Set(hidden);
    if (!next.delete(label)) next.add(label);
    setHidden(next);
  };
  const time = at === null ? undefined : data[0][at];
  return (
    <figure class="chart">
      <figcaption class="chart-title">
        <span>{title}</span>
        <span class="chart-time">{time === undefined ? "" : formatTime(time)}</span>
      </figcaption>
      <div
        ref={host}
        class="chart-plot"
        role="group"
        tabIndex={0}
        aria-label={`${title}. ${lines.map((line) => `${showLine(line.label, 100)}: ${describe(knownOf(line), unit)}`).join("; ")}`}
        onKeyDown={(event) => {
          if (plot.current !== null && moveCrosshair(plot.current, event.key)) event.preventDefault();
        }}
      />
      <ul class="chart-legend" ref={legend}>
        {lines.map((line, i) => (
          <li key={line.label}>
            <button
              type="button"
              aria-pressed={!hidden.has(line.label)}
              title={showLine(line.label)}
              onClick={() => toggle(line.label)}
              onPointerEnter={() => plot.current?.setSeries(i + 1, { focus: true })}
              onPointerLeave={() => plot.current?.setSeries(null, { focus: true })}
            >
              <span class={lineClass(i)}>
                <LineSample index={i} />
              </span>
              <span class="chart-label">{showLine(line.label)}</span>
              <span class="chart-value">
                {formatQuantity(at === null ? knownOf(line).at(-1) : data[i + 1]?.[at], unit)}
              </span>
            </button>
          </li>
        ))}
      </ul>
    </figure>
  );
}

function knownOf(line: ChartLine): number[] {
  return line.values.values.filter((value) => value !== null);
}

/** One column of times for all lines, which need not share their steps. */
function alignLines(lines: readonly ChartLine[]): [number[], ...(number | null)[][]] {
  const times = new Set<number>();
  const columns = lines.map(({ values }) => {
    const column = new Map<number, number | null>();
    values.values.forEach((value, i) => {
      const time = values.fromMs + i * values.stepMs;
      times.add(time);
      column.set(time, value);
    });
    return column;
  });
  const sorted = [...times].sort((a, b) => a - b);
  return [sorted, ...columns.map((column) => sorted.map((time) => column.get(time) ?? null))];
}

function readTheme(box: Element, legend: Element | null): ChartTheme {
  const style = getComputedStyle(box);
  const samples = legend?.querySelectorAll(".line-sample") ?? [];
  return {
    font: `12px ${style.fontFamily}`,
    text: style.color,
    grid: style.borderTopColor,
    lines: Array.from(samples, (sample) => getComputedStyle(sample).color),
  };
}

function moveCrosshair(plot: uPlot, key: string): boolean {
  if (key === "Escape") {
    plot.setCursor({ left: -10, top: -10 });
    return true;
  }
  const step = { ArrowLeft: -1, ArrowRight: 1 }[key];
  const times = plot.data[0];
  if (step === undefined || times.length === 0) return false;
  const now = plot.cursor.idx ?? (step < 0 ? times.length : -1);
  const next = Math.min(times.length - 1, Math.max(0, now + step));
  plot.setCursor({ left: plot.valToPos(times[next] ?? 0, "x"), top: plot.over.clientHeight / 2 });
  return true;
}

import type uPlot from "uplot";
import { lineDash } from "./line-style.js";
import { formatNumber, quantityFor } from "./quantity.js";

export interface ChartShape {
  readonly labels: readonly string[];
  readonly unit: string;
  /** Charts of one page with one key share the crosshair. */
  readonly sync: string;
  readonly isFilled: boolean;
}

/** What is read from the page's styles, so that a chart follows its theme. */
export interface ChartTheme {
  readonly font: string;
  readonly text: string;
  readonly grid: string;
  readonly lines: readonly string[];
}

const POWERS_OF_TWO = Array.from({ length: 50 }, (_, power) => 2 ** power);
const WHOLE = Array.from({ length: 13 }, (_, power) => [1, 2, 5].map((first) => first * 10 ** power)).flat();

/** `theme` and `range` are asked for at each drawing: both change while the chart lives. */
export function chartOptions(
  shape: ChartShape,
  size: { width: number; height: number },
  theme: () => ChartTheme,
  range: () => readonly [fromMs: number, toMs: number],
): uPlot.Options {
  const grid = { stroke: () => theme().grid, width: 1 };
  const axis = { stroke: () => theme().text, font: theme().font, grid, ticks: { ...grid, size: 4 } };
  return {
    ...size,
    ms: 1,
    padding: [8, 20, 0, 0],
    legend: { show: false },
    focus: { alpha: 0.25 },
    cursor: {
      y: false,
      drag: { x: false, y: false },
      sync: { key: shape.sync },
      focus: { prox: 16 },
      points: { size: 7 },
    },
    scales: {
      x: { time: true, range: () => [...range()] as [number, number] },
      y: { range: (_, least, most) => yRange(shape.unit, least, most) },
    },
    axes: [
      {
        ...axis,
        space: 70,
        size: 30,
        values: (_, splits, __, ___, step) => splits.map((split) => formatTime(split, step)),
      },
      {
        ...axis,
        space: 28,
        size: (_, labels) => 14 + 6.6 * Math.max(3, ...(labels ?? []).map((label) => label.length)),
        ...axisSteps(shape.unit),
        values: (_, splits) => axisLabels(splits, shape.unit),
      },
    ],
    series: [
      {},
      ...shape.labels.map((label, index) => ({
        label,
        width: 1.75,
        dash: [...lineDash(index)],
        stroke: () => theme().lines[index] ?? theme().text,
        ...(shape.isFilled && index === 0 ? { fill: () => fade(theme().lines[0] ?? theme().text) } : {}),
        points: { show: false, size: 5, filter: aloneOnly },
      })),
    ],
  };
}

/** From 0, as lengths are compared with the eye; a ratio always to 1. */
function yRange(unit: string, least: number | null, most: number | null): [number, number] {
  if (unit === "%") return [0, Math.max(1, most ?? 1)];
  const low = Math.min(0, least ?? 0);
  const high = Math.max(0, most ?? 0);
  if (low === high) return [0, 1];
  return [low * 1.08, high * 1.08];
}

/** There is no half connection. */
function axisSteps(unit: string): { incrs?: number[] } {
  if (unit === "By") return { incrs: POWERS_OF_TWO };
  return unit.startsWith("{") && !unit.endsWith("/s") ? { incrs: WHOLE } : {};
}

function axisLabels(splits: readonly number[], unit: string): string[] {
  const { divisor, suffix } = quantityFor(unit, Math.max(...splits.map(Math.abs)));
  return splits.map((split) => `${formatNumber(Number((split / divisor).toPrecision(6)), 0)}${suffix}`);
}

function formatTime(ms: number, stepMs: number): string {
  return new Date(ms).toLocaleTimeString("en-GB", stepMs < 60_000 ? {} : { hour: "2-digit", minute: "2-digit" });
}

/** A value between two gaps has no line: it is a dot. */
function aloneOnly(plot: uPlot, series: number): number[] {
  const values = plot.data[series] ?? [];
  const alone: number[] = [];
  for (let i = 0; i < values.length; i++) {
    if (values[i] != null && values[i - 1] == null && values[i + 1] == null) alone.push(i);
  }
  return alone;
}

function fade(colour: string): string {
  return `color-mix(in srgb, ${colour} 14%, transparent)`;
}

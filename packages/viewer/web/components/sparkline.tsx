import type { Steps } from "../../src/api/answers.js";
import { lineClass } from "./line-style.js";
import { formatQuantity } from "./quantity.js";

const WIDTH = 100;
const HEIGHT = 20;

export interface SparklineProps {
  /** What it shows, for those who cannot see it: `p95 duration`. */
  readonly label: string;
  readonly steps: Steps;
  /** As in OpenTelemetry: `ms`, `By`, `1/s`, or `%` for a ratio from 0 to 1. */
  readonly unit: string;
  /** Colour of the line, as in charts; 0 by default. */
  readonly index?: number;
  /** The top of the picture; the largest value by default. */
  readonly max?: number;
}

/** Numbers over time, as large as its box: a trend at a glance, from 0 to the largest. Gaps stay gaps. */
export function Sparkline({ label, steps, unit, index = 0, max }: SparklineProps) {
  const known = steps.values.filter((value) => value !== null);
  const top = Math.max(max ?? 0, ...known) || 1;
  const path = drawPath(steps.values, top);
  return (
    <svg
      class={`sparkline ${lineClass(index)}`}
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
      preserveAspectRatio="none"
      role="img"
      aria-label={`${label}: ${describe(known, unit)}`}
    >
      <line class="sparkline-floor" x1="0" x2={WIDTH} y1={HEIGHT - 0.5} y2={HEIGHT - 0.5} />
      <path class="sparkline-line" d={path} />
    </svg>
  );
}

/** What a picture of these numbers says, in words. */
export function describe(known: readonly number[], unit: string): string {
  const last = known.at(-1);
  if (last === undefined) return "no data";
  const least = formatQuantity(Math.min(...known), unit);
  const most = formatQuantity(Math.max(...known), unit);
  return least === most ? most : `last ${formatQuantity(last, unit)}, from ${least} to ${most}`;
}

function drawPath(values: readonly (number | null)[], top: number): string {
  const dx = WIDTH / Math.max(1, values.length - 1);
  let path = "";
  let isDrawing = false;
  values.forEach((value, i) => {
    if (value === null) {
      isDrawing = false;
      return;
    }
    const x = (i * dx).toFixed(1);
    const y = (HEIGHT - 1.5 - (Math.max(0, value) / top) * (HEIGHT - 3)).toFixed(1);
    // One step alone is a short stroke, else nothing would be seen of it.
    path += isDrawing ? `L${x} ${y}` : `M${x} ${y}h0.8`;
    isDrawing = true;
  });
  return path;
}

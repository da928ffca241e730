import type uPlot from "uplot";

/** One measurement that leads to a trace. */
export interface ChartPoint {
  readonly timeMs: number;
  readonly value: number;
  readonly label: string;
  /** Null where the trace is no longer kept: the point is drawn, and leads nowhere. */
  readonly href: string | null;
}

const MAX_POINTS = 200;

/** Lays links over the plot, so that a point is reached with the mouse, a finger or the keyboard alike. */
export function placePoints(plot: uPlot, points: readonly ChartPoint[]): void {
  const shown = points.slice(-MAX_POINTS);
  const before = Array.from(plot.over.querySelectorAll<HTMLElement>(".chart-point"));
  for (const extra of before.slice(shown.length)) extra.remove();
  shown.forEach((point, i) => {
    const old = before[i];
    const element = old?.tagName === (point.href === null ? "SPAN" : "A") ? old : makePoint(plot, point, old);
    if (point.href !== null) element.setAttribute("href", point.href);
    element.setAttribute("aria-label", point.label);
    element.title = point.label;
    const left = plot.valToPos(point.timeMs, "x");
    const top = plot.valToPos(point.value, "y");
    element.hidden = left < 0 || left > plot.over.clientWidth || !Number.isFinite(top);
    element.style.left = `${left}px`;
    // Above the scale it is still there to be clicked on: exemplars are larger than percentiles.
    element.style.top = `${Math.max(0, Math.min(top, plot.over.clientHeight))}px`;
  });
}

function makePoint(plot: uPlot, point: ChartPoint, old: HTMLElement | undefined): HTMLElement {
  const element = document.createElement(point.href === null ? "span" : "a");
  element.className = "chart-point";
  if (old === undefined) plot.over.append(element);
  else old.replaceWith(element);
  return element;
}

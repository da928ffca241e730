import { useEffect, useRef } from "preact/hooks";
import { readColor, useTheme } from "../../theme.js";
import { SERVICE_COLOURS } from "./mark-services.js";
import type { TimeRange } from "./time-range.js";
import type { TraceModel } from "./trace-model.js";
import { useZoom } from "./use-zoom.js";

const HEIGHT = 40;

/** The whole trace in small; what is dragged over is what the waterfall shows. */
export function Overview({
  model,
  range,
  onRange,
}: {
  readonly model: TraceModel;
  readonly range: TimeRange;
  readonly onRange: (range: TimeRange) => void;
}) {
  const box = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const theme = useTheme();
  const { whole } = model;
  const drag = useZoom(box, range, whole, onRange);

  useEffect(() => {
    const element = canvas.current;
    if (!element) return undefined;
    const draw = (): void => drawSpans(element, model);
    draw();
    const sizes = new ResizeObserver(draw);
    sizes.observe(element);
    return () => sizes.disconnect();
  }, [model, theme]);

  const wholeMs = whole.toMs - whole.fromMs;
  const left = drag ? drag.from : (range.fromMs - whole.fromMs) / wholeMs;
  const right = drag ? drag.to : (range.toMs - whole.fromMs) / wholeMs;
  return (
    <div
      ref={box}
      class="wf-overview"
      data-timeline="touch"
      data-whole=""
      title="Drag to look at a part"
      aria-hidden="true"
    >
      <canvas ref={canvas} height={HEIGHT} />
      {left > 0 && <div class="wf-outside" data-side="left" style={{ left: 0, width: `${left * 100}%` }} />}
      {right < 1 && <div class="wf-outside" data-side="right" style={{ left: `${right * 100}%`, right: 0 }} />}
    </div>
  );
}

function drawSpans(canvas: HTMLCanvasElement, { trace, whole, services }: TraceModel): void {
  const { clientWidth: width } = canvas;
  const scale = devicePixelRatio || 1;
  canvas.width = Math.max(1, Math.round(width * scale));
  canvas.height = HEIGHT * scale;
  const pen = canvas.getContext("2d");
  if (!pen) return;
  pen.scale(scale, scale);
  const colours = Array.from({ length: SERVICE_COLOURS }, (_, n) => readColor(`--series-${n + 1}`));
  let deepest = 0;
  for (const { depth } of trace.spans) deepest = Math.max(deepest, depth);
  const lines = Math.max(8, Math.min(20, deepest + 1));
  const perMs = width / (whole.toMs - whole.fromMs);
  for (const { depth, startMs, durationMs, service } of trace.spans) {
    pen.fillStyle = colours[services.get(service)?.colour ?? 0] ?? "";
    const y = (Math.min(Math.max(depth, 0), lines - 1) / lines) * HEIGHT;
    pen.fillRect((startMs - whole.fromMs) * perMs, y, Math.max(1, durationMs * perMs), Math.max(1, HEIGHT / lines - 1));
  }
}

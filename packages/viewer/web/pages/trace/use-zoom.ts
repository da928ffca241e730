import type { RefObject } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { pan, rangeBetween, zoom, type TimeRange } from "./time-range.js";

export interface Drag {
  /** Shares of the width. */
  readonly from: number;
  readonly to: number;
}

/**
 * Dragging over `[data-timeline]` elements inside of `box` chooses a range, the wheel with ctrl zooms about the pointer, the wheel
 * sideways (or with shift) moves. Answers what is being dragged. Fingers scroll, but where an element says `data-timeline="touch"`.
 */
export function useZoom(
  box: RefObject<HTMLElement | null>,
  range: TimeRange,
  whole: TimeRange,
  onRange: (range: TimeRange) => void,
): Drag | undefined {
  const [drag, setDrag] = useState<Drag>();
  const now = useRef({ range, whole, onRange });
  now.current = { range, whole, onRange };

  useEffect(() => {
    const element = box.current;
    if (!element) return undefined;
    let started: { readonly line: Element; readonly x: number; to: number } | undefined;
    const lineOf = (event: Event): Element | null =>
      event.target instanceof Element ? event.target.closest("[data-timeline]") : null;
    const share = (line: Element, x: number): number => {
      const { left, width } = line.getBoundingClientRect();
      return width > 0 ? Math.min(1, Math.max(0, (x - left) / width)) : 0;
    };
    const timeAt = (line: Element, at: number): number => {
      const { range, whole } = now.current;
      const shown = line.hasAttribute("data-whole") ? whole : range;
      return shown.fromMs + at * (shown.toMs - shown.fromMs);
    };

    const onDown = (event: PointerEvent): void => {
      const line = lineOf(event);
      if (!line || event.button !== 0) return;
      if (event.pointerType === "touch" && line.getAttribute("data-timeline") !== "touch") return;
      started = { line, x: event.clientX, to: event.clientX };
    };
    const onMove = (event: PointerEvent): void => {
      if (!started) return;
      started.to = event.clientX;
      if (Math.abs(started.to - started.x) < 5) return;
      event.preventDefault();
      const a = share(started.line, started.x);
      const b = share(started.line, started.to);
      setDrag({ from: Math.min(a, b), to: Math.max(a, b) });
    };
    const onUp = (): void => {
      if (!started) return;
      const { line, x, to } = started;
      started = undefined;
      setDrag(undefined);
      if (Math.abs(to - x) < 5) return;
      // The click that ends a drag chooses no line; a drag that ends elsewhere brings none.
      const swallow = (event: Event): void => event.stopPropagation();
      addEventListener("click", swallow, { capture: true, once: true });
      setTimeout(() => removeEventListener("click", swallow, { capture: true }), 0);
      const { whole, onRange } = now.current;
      onRange(rangeBetween(timeAt(line, share(line, x)), timeAt(line, share(line, to)), whole));
    };
    const onWheel = (event: WheelEvent): void => {
      const line = element.querySelector("[data-timeline]");
      if (!line) return;
      const { range, whole, onRange } = now.current;
      if (event.ctrlKey || event.metaKey) {
        event.preventDefault();
        const factor = Math.exp(Math.max(-50, Math.min(50, event.deltaY)) / 100);
        onRange(zoom(range, timeAt(lineOf(event) ?? line, share(line, event.clientX)), factor, whole));
        return;
      }
      const sideways = event.shiftKey ? event.deltaY || event.deltaX : event.deltaX;
      if (Math.abs(sideways) <= Math.abs(event.shiftKey ? 0 : event.deltaY)) return;
      event.preventDefault();
      onRange(pan(range, sideways / 500, whole));
    };

    element.addEventListener("pointerdown", onDown);
    addEventListener("pointermove", onMove);
    addEventListener("pointerup", onUp);
    addEventListener("pointercancel", onUp);
    element.addEventListener("wheel", onWheel, { passive: false });
    return () => {
      element.removeEventListener("pointerdown", onDown);
      removeEventListener("pointermove", onMove);
      removeEventListener("pointerup", onUp);
      removeEventListener("pointercancel", onUp);
      element.removeEventListener("wheel", onWheel);
    };
  }, [box]);
  return drag;
}

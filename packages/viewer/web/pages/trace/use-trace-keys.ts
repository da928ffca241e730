import type { RefObject } from "preact";
import { useKeys } from "../../keyboard.js";
import { findParentRow } from "./lay-out-rows.js";
import { zoom } from "./time-range.js";
import { spanAsJson } from "./trace-as-json.js";
import type { TraceModel } from "./trace-model.js";
import type { TraceState } from "./use-trace-state.js";

interface Places {
  readonly search: RefObject<HTMLInputElement | null>;
  readonly heading: RefObject<HTMLHeadingElement | null>;
  toGrid(): void;
  say(text: string): void;
}

/** The keys of a trace, and what arrows do where the focus is on the lines. */
export function useTraceKeys(
  model: TraceModel,
  state: TraceState,
  { search, heading, toGrid, say }: Places,
): (event: KeyboardEvent) => void {
  const { rows, chosen, range } = state;
  const row = rows[chosen];
  const move = (by: number): void => state.choose(chosen < 0 ? 0 : chosen + by);
  const zoomBy = (factor: number): void =>
    state.setRange(zoom(range, (range.fromMs + range.toMs) / 2, factor, model.whole));

  const fold = (): void => {
    if (row?.canOpen && row.isOpen) return state.foldRow(chosen, false);
    const above = findParentRow(rows, chosen);
    if (above >= 0) state.choose(above);
  };
  const unfold = (): void => {
    if (!row?.canOpen) return;
    if (row.isOpen) state.choose(chosen + 1);
    else state.foldRow(chosen, true);
  };
  const open = (): void => {
    if (chosen < 0) return state.choose(0);
    state.setDetailed(true);
    setTimeout(() => heading.current?.focus(), 30);
  };
  const back = (): void => {
    if (heading.current?.closest("aside")?.contains(document.activeElement)) return toGrid();
    if (state.isDetailed && row) return state.setDetailed(false);
    if (state.wanted !== "") return state.setWanted("");
    state.setRange(model.whole);
  };
  const copy = async (): Promise<void> => {
    if (!row) return say("Choose a span first");
    try {
      await navigator.clipboard.writeText(spanAsJson(model, row.index));
      say("✓ Copied the span as JSON");
    } catch {
      say("✕ The browser does not allow to copy");
    }
  };
  const zoomToRow = (): void => {
    const whole = row && model.barOf(row).whole;
    if (whole) state.setRange(whole);
  };

  useKeys("Trace", [
    { keys: "j", what: "next span", run: () => move(1) },
    { keys: "k", what: "span before", run: () => move(-1) },
    { keys: "h", what: "close, or to the parent", run: fold },
    { keys: "l", what: "open, or to the first child", run: unfold },
    { keys: "Enter", what: "details", run: open },
    { keys: "Escape", what: "back", run: back },
    { keys: "/", what: "search in the trace", run: () => search.current?.select() },
    { keys: "n", what: "next match", run: () => state.goToMatch(1) },
    { keys: "N", what: "match before", run: () => state.goToMatch(-1) },
    { keys: "o", what: "critical path only", run: () => state.setCriticalOnly(!state.isCriticalOnly) },
    { keys: "c", what: "copy the span as JSON", run: () => void copy() },
    { keys: "z", what: "zoom to the span", run: zoomToRow },
    { keys: "+", what: "zoom in", run: () => zoomBy(0.5) },
    { keys: "-", what: "zoom out", run: () => zoomBy(2) },
    { keys: "0", what: "whole trace", run: () => state.setRange(model.whole) },
  ]);

  const page = 15;
  const arrows: Readonly<Record<string, () => void>> = {
    ArrowDown: () => move(1),
    ArrowUp: () => move(-1),
    ArrowLeft: fold,
    ArrowRight: unfold,
    PageDown: () => move(page),
    PageUp: () => move(-page),
    Home: () => state.choose(0),
    End: () => state.choose(rows.length - 1),
  };
  return (event) => {
    const act = event.ctrlKey || event.metaKey || event.altKey ? undefined : arrows[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  };
}

import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { setQuery, usePlace } from "../../router.js";
import { nextMatch } from "./find-spans.js";
import { fold, layOutRows, UNFOLDED, unfoldTo, type Folding, type Row } from "./lay-out-rows.js";
import { rangeBetween, type TimeRange } from "./time-range.js";
import type { TraceModel } from "./trace-model.js";

export interface TraceState {
  readonly rows: readonly Row[];
  /** Place among the lines, -1 for none. */
  readonly chosen: number;
  readonly range: TimeRange;
  readonly wanted: string;
  readonly matches: ReadonlySet<number>;
  readonly isCriticalOnly: boolean;
  readonly isDetailed: boolean;
  /** The address names a span that is not here. */
  readonly isLost: boolean;
  choose(place: number): void;
  /** Opens what hides a span, and chooses it. */
  show(index: number): void;
  /** The same for those that a finding tells of: the first of them, or the group that it is in. */
  showAll(indices: readonly number[]): void;
  foldRow(place: number, isOpen?: boolean): void;
  openAll(): void;
  closeAll(): void;
  setRange(range: TimeRange): void;
  setWanted(text: string): void;
  goToMatch(direction: 1 | -1): void;
  setCriticalOnly(isOnly: boolean): void;
  setDetailed(isDetailed: boolean): void;
}

const NO_MATCHES: ReadonlySet<number> = new Set();
const rowName = (row: Row): string => `${row.members ? "group " : ""}${row.key}`;

/** What the reader has opened, chosen, searched for and zoomed into. The chosen span is in the address. */
export function useTraceState(model: TraceModel): TraceState {
  const { spans } = model.trace;
  const { tree } = model;
  const linked = usePlace().query.get("span") ?? "";
  const [folding, setFolding] = useState<Folding>(() => {
    const index = model.indexOf.get(linked);
    return index === undefined ? UNFOLDED : unfoldTo(spans, tree, UNFOLDED, index);
  });
  const [name, setName] = useState(linked);
  const [range, setRange] = useState<TimeRange>();
  const [wanted, setWanted] = useState("");
  const [isCriticalOnly, setCriticalOnly] = useState(false);
  const [isDetailed, setDetailed] = useState(linked !== "");

  const rows = useMemo(
    () => layOutRows(spans, tree, folding, isCriticalOnly ? ({ isCritical }) => isCritical : undefined),
    [spans, tree, folding, isCriticalOnly],
  );
  const places = useMemo(() => new Map(rows.map((row, place) => [rowName(row), place])), [rows]);
  const matches = useMemo(() => (wanted.trim() === "" ? NO_MATCHES : new Set(model.search(wanted))), [model, wanted]);
  const chosen = places.get(name) ?? -1;

  const show = (index: number): void => {
    setFolding((now) => unfoldTo(spans, tree, now, index));
    if (!spans[index]?.isCritical) setCriticalOnly(false);
    setName(tree.keys[index] ?? "");
    setDetailed(true);
  };

  const showAll = ([index]: readonly number[]): void => {
    if (index === undefined) return;
    const unfolded = unfoldTo(spans, tree, folding, index, true);
    const rows = layOutRows(spans, tree, unfolded);
    const row = rows.find((row) => (row.members ? row.members.includes(index) : row.index === index));
    if (!row) return;
    setFolding(unfolded);
    if (!(row.members ?? [index]).some((index) => spans[index]?.isCritical)) setCriticalOnly(false);
    setName(rowName(row));
    setDetailed(true);
  };

  // The address follows, but not at every key that is held down: browsers allow only so many changes.
  const written = useRef(linked);
  useEffect(() => {
    const span = name.startsWith("group ") ? "" : name;
    if (span === written.current) return undefined;
    const timer = setTimeout(() => {
      written.current = span;
      setQuery({ span });
    }, 200);
    return () => clearTimeout(timer);
  }, [name]);
  useEffect(() => {
    if (linked === written.current) return;
    written.current = linked;
    const index = model.indexOf.get(linked);
    if (index !== undefined) show(index);
  }, [linked]);

  return {
    rows,
    chosen,
    range: range ? rangeBetween(range.fromMs, range.toMs, model.whole) : model.whole,
    wanted,
    matches,
    isCriticalOnly,
    isDetailed,
    isLost: linked !== "" && !model.indexOf.has(linked),
    choose: (place) => {
      const row = rows[Math.max(0, Math.min(rows.length - 1, place))];
      if (row) setName(rowName(row));
    },
    show,
    showAll,
    foldRow: (place, isOpen) => {
      const row = rows[place];
      if (row) setFolding((now) => fold(now, row, isOpen ?? !row.isOpen));
    },
    openAll: () => setFolding(UNFOLDED),
    closeAll: () => {
      const closedSpans = new Set(tree.keys.filter((_, index) => (tree.below[index] ?? 0) > 0));
      for (const index of tree.roots) closedSpans.delete(tree.keys[index] ?? "");
      setFolding({ closedSpans, openGroups: new Set() });
    },
    setRange,
    setWanted,
    goToMatch: (direction) => {
      const inOrder = [...matches];
      const at = rows[chosen]?.index ?? (direction === 1 ? -1 : spans.length);
      const match = nextMatch(inOrder, at, direction);
      if (match !== undefined) show(match);
    },
    setCriticalOnly,
    setDetailed,
  };
}

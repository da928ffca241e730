import type { Results } from "./results.js";
import type { Spread } from "./statistics.js";

const WIDTH = 720;
const NAMES = 128;
const BAR = 11;
const ROW = 34;
const TOP = 58;
/** Free to the right of the longest bar, for its figure. */
const RIGHT = 52;

/**
 * CPU per request of every variant as a multiple of the bare app's, two bars each, with a line from
 * the least to the most of its servers, as an SVG that can be read on light and on dark.
 * Empty when there was no load.
 */
export function drawChart({ load = {}, node }: Results): string {
  const [item, multi] = [load.item?.variants ?? {}, load.multi?.variants ?? {}];
  const rows = Object.keys({ ...item, ...multi })
    .map((name) => ({ name, item: item[name]?.cpuRatio, multi: multi[name]?.cpuRatio }))
    .sort((a, b) => middleOf(a) - middleOf(b));
  if (rows.length === 0) return "";
  const most = Math.max(...rows.flatMap((row) => [row.item?.max ?? 0, row.multi?.max ?? 0]));
  const scale = (WIDTH - NAMES - RIGHT) / most;
  const height = TOP + rows.length * ROW + 12;
  const bare = NAMES + scale;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img"`,
    `  aria-label="CPU time per request as a multiple of the bare app's">`,
    "  <style>",
    // Colours that can be read on white and on black: a picture in a page is not told which of them it is on.
    "    text { font: 13px system-ui, sans-serif; fill: #6e7681 }",
    "    .small { font-size: 11px }",
    "    .ours { font-weight: 700; fill: #2f81f7 }",
    "    .item { fill: #2f81f7 } .multi { fill: #8ab4f8 }",
    "    .bare { stroke: #6e7681; stroke-dasharray: 3 3 }",
    "    .servers { stroke: #6e7681; stroke-width: 1.5 }",
    "  </style>",
    `  <text x="0" y="16">CPU time per request, × the bare app (Node ${escape(node)})</text>`,
    `  <rect class="item" x="0" y="28" width="11" height="11" rx="2"/><text class="small" x="17" y="38">one cached read</text>`,
    `  <rect class="multi" x="124" y="28" width="11" height="11" rx="2"/><text class="small" x="141" y="38">five queries and an MGET</text>`,
    `  <line class="servers" x1="300" x2="322" y1="33.5" y2="33.5"/><text class="small" x="328" y="38">servers of one variant</text>`,
    ...rows.flatMap((row, i) => drawRow(row, TOP + i * ROW, scale)),
    `  <line class="bare" x1="${round(bare)}" x2="${round(bare)}" y1="${TOP - 6}" y2="${height - 8}"/>`,
    "</svg>",
    "",
  ].join("\n");
}

interface Row {
  readonly name: string;
  readonly item: Spread | undefined;
  readonly multi: Spread | undefined;
}

const middleOf = ({ item, multi }: Pick<Row, "item" | "multi">): number => item?.median ?? multi?.median ?? 0;

function drawRow({ name, item, multi }: Row, y: number, scale: number): string[] {
  const kind = name.startsWith("telltale") ? ' class="ours"' : "";
  return [
    `  <text${kind} x="${NAMES - 10}" y="${y + BAR + 4}" text-anchor="end">${escape(name)}</text>`,
    ...drawBar("item", item, y, scale),
    ...drawBar("multi", multi, y + BAR + 2, scale),
  ];
}

function drawBar(kind: "item" | "multi", value: Spread | undefined, y: number, scale: number): string[] {
  if (value === undefined) return [];
  const { median, min, max } = value;
  const [width = 0, from = 0, to = 0] = [median, min, max].map((times) => round(times * scale));
  const middle = y + BAR / 2;
  return [
    `  <rect class="${kind}" x="${NAMES}" y="${y}" width="${width}" height="${BAR}" rx="2"/>` +
      `<text class="small" x="${round(NAMES + Math.max(width, to) + 5)}" y="${y + BAR - 1}">${median.toFixed(2)}</text>`,
    ...(to > from
      ? [`  <line class="servers" x1="${NAMES + from}" x2="${NAMES + to}" y1="${middle}" y2="${middle}"/>`]
      : []),
  ];
}

const round = (value: number): number => Math.round(value * 10) / 10;
const escape = (text: string): string => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");

import { styleText } from "node:util";
import { plain, truncate, widthOf, wrap } from "../report/plain-text.js";
import { type Row, type Section, SECTIONS } from "./sections.js";
import { renderTable } from "./table.js";

/** What was read of a section: rows, or why there are none. */
export type Content = { readonly rows: readonly Row[] } | { readonly problem: string };

export interface View {
  readonly url: string;
  readonly minutes: number;
  /** Index into `SECTIONS`. */
  readonly section: number;
  /** Row that is looked at. */
  readonly selected: number;
  readonly content: Content | undefined;
  readonly width: number;
  readonly height: number;
}

const DETAIL_LINES = 6;
/** Name, sections, a blank line, the table's heading. */
const HEAD_LINES = 4;
const KEYS = "q quit · tab ←→ section · ↑↓ row";

/** A screenful: exactly so many lines, none longer than the screen. */
export function renderScreen(view: View): string[] {
  const { width, height, content } = view;
  const section = sectionOf(view.section);
  const head = [heading(view), tabs(view.section, width), ""];
  const body = content === undefined ? ["Asking…"] : renderBody(section, content, view);
  const lines = [...head, ...body].slice(0, height - 1);
  while (lines.length < height - 1) lines.push("");
  return [...lines, dim(truncate(KEYS, width))];
}

function renderBody(section: Section, content: Content, { width, height, selected }: View): string[] {
  if ("problem" in content) return wrap(plain(content.problem), width);
  if (content.rows.length === 0) return [section.empty];
  // On a low screen the rows matter more.
  const detailed = height >= 16 ? DETAIL_LINES : 0;
  const room = Math.max(1, height - HEAD_LINES - 1 - (detailed > 0 ? detailed + 1 : 0));
  const at = Math.min(selected, content.rows.length - 1);
  const from = Math.max(0, Math.min(at - Math.floor(room / 2), content.rows.length - room));
  const shown = content.rows.slice(from, from + room);
  // Two columns for the mark of the row that is looked at: it is to be seen without colours, too.
  const [title = "", ...rows] = renderTable(
    section.columns,
    shown.map(({ cells }) => cells),
    width - 2,
  );
  const lines = rows.map((row, n) => (from + n === at ? styleText("inverse", `▸ ${row}`) : `  ${row}`));
  while (lines.length < room) lines.push("");
  return [dim(`  ${title}`), ...lines, ...(detailed > 0 ? ["", ...details(content.rows[at], width)] : [])];
}

function details(row: Row | undefined, width: number): string[] {
  const paragraphs = (row?.details ?? []).filter((one) => one !== "");
  return paragraphs.flatMap((one) => wrap(plain(one.slice(0, 4 * width)), width, 2)).slice(0, DETAIL_LINES);
}

function heading({ url, minutes, width }: View): string {
  const left = `telltale top · ${plain(url)}`;
  const right = `last ${minutes} min · ${new Date().toTimeString().slice(0, 8)}`;
  const space = width - widthOf(left) - widthOf(right);
  return space < 2 ? bold(truncate(left, width)) : `${bold(left)}${" ".repeat(space)}${dim(right)}`;
}

function tabs(current: number, width: number): string {
  const names = SECTIONS.map(({ name }, n) => (n === current ? `[${name}]` : ` ${name} `));
  return truncate(names.join(" "), width);
}

/** All sections below each other, without anything that moves. */
export function renderAll(contents: readonly Content[], width: number): string {
  const blocks = SECTIONS.map((section, n) => {
    const content = contents[n];
    const lines =
      content === undefined || "problem" in content ? [plain(content?.problem)] : tableOf(section, content.rows, width);
    return [bold(section.name), ...lines].join("\n");
  });
  return `${blocks.join("\n\n")}\n`;
}

function tableOf(section: Section, rows: readonly Row[], width: number): string[] {
  if (rows.length === 0) return [section.empty];
  const [title = "", ...lines] = renderTable(
    section.columns,
    rows.map(({ cells }) => cells),
    width,
  );
  return [dim(title), ...lines].map((line) => line.trimEnd());
}

export function sectionOf(index: number): Section {
  const section = SECTIONS[index];
  if (section === undefined) throw new RangeError(`there are ${SECTIONS.length} sections`);
  return section;
}

// Both leave the text alone where stdout is no terminal, and honour NO_COLOR.
function bold(text: string): string {
  return styleText("bold", text);
}

function dim(text: string): string {
  return styleText("dim", text);
}

import { plain, truncate, widthOf } from "../report/plain-text.js";

export interface Column {
  readonly title: string;
  /** Columns of the terminal; one column has all that the others leave. */
  readonly width?: number;
  readonly isText?: boolean;
}

const GAP = 2;
const MIN_WIDTH = 12;

/** A heading, and a line per row; whatever acts on a terminal is taken out of the cells. */
export function renderTable(columns: readonly Column[], rows: readonly (readonly string[])[], width: number): string[] {
  const fixed = columns.reduce((sum, column) => sum + (column.width ?? 0), 0);
  const rest = Math.max(MIN_WIDTH, width - fixed - GAP * (columns.length - 1));
  const line = (cells: readonly string[]): string =>
    truncate(
      columns.map((column, n) => fit(cells[n], column.width ?? rest, column.isText === true)).join(" ".repeat(GAP)),
      width,
    );
  return [line(columns.map(({ title }) => title)), ...rows.map(line)];
}

function fit(cell: string | undefined, width: number, isText: boolean): string {
  // Of a long text only the beginning is looked at: there may be hundreds, each second.
  const cut = truncate(plain(cell?.slice(0, 4 * width)), width);
  const space = " ".repeat(Math.max(0, width - widthOf(cut)));
  return isText ? cut + space : space + cut;
}

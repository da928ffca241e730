/** A table as lines: names to the left, figures to the right, columns that nobody fills left out. */
export function formatTable(header: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const used = header.map((_, column) => rows.some((row) => (row[column] ?? "") !== ""));
  const lines = [header, ...rows].map((row) => header.map((_, column) => row[column] ?? ""));
  const widths = header.map((_, column) => Math.max(...lines.map((cells) => cells[column]?.length ?? 0)));
  const write = (cells: readonly string[]): string =>
    cells
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .filter((_, column) => used[column] === true)
      .join("   ")
      .trimEnd();
  const [first = [], ...rest] = lines;
  const title = write(first);
  return [title, "─".repeat(title.length), ...rest.map(write)];
}

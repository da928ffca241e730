import { stripVTControlCharacters, styleText } from "node:util";

// styleText leaves the text alone where stdout is no terminal, and honours NO_COLOR and FORCE_COLOR.
export const bold = (text) => styleText("bold", text);
export const dim = (text) => styleText("dim", text);
export const good = (text) => styleText("green", text);
export const warn = (text) => styleText("yellow", text);
export const bad = (text) => styleText("red", text);

export function terminalWidth() {
  return Math.min(Math.max(process.stdout.columns ?? 96, 80), 100);
}

const widthOf = (text) => stripVTControlCharacters(text).length;

export function truncate(text, width) {
  return text.length <= width ? text : `${text.slice(0, width - 1)}…`;
}

/** A share of 1 as a bar. */
export function bar(share, width) {
  const full = Math.round(share * width);
  return "█".repeat(full) + dim("░".repeat(width - full));
}

/** A heading line and its rows, columns aligned; `columns` are { title, align?: "left" }, numbers stand right. */
export function table(columns, rows) {
  const lines = [columns.map(({ title }) => title), ...rows];
  const widths = columns.map((_, column) => Math.max(...lines.map((line) => widthOf(line[column]))));
  const layOut = (line) =>
    line
      .map((cell, column) => {
        const space = " ".repeat(widths[column] - widthOf(cell));
        return columns[column].align === "left" ? cell + space : space + cell;
      })
      .join("  ")
      .trimEnd();
  const [heading, ...body] = lines.map(layOut);
  return [dim(heading), ...body].map((line) => `  ${line}`);
}

/** Breaks a text into lines at spaces. */
export function wrap(text, width) {
  const lines = [""];
  for (const word of text.split(/\s+/).filter(Boolean)) {
    const line = lines.at(-1);
    if (line === "") lines[lines.length - 1] = word;
    else if (line.length + 1 + word.length <= width) lines[lines.length - 1] = `${line} ${word}`;
    else lines.push(word);
  }
  return lines;
}

/** Whatever acts on a terminal or hides in a text: control characters, marks of direction, joiners, halves of characters. */
const ACTING = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}]/gu;

/** Characters of one text that are looked at; more than a service writes, and a bound on the work for what others do. */
const MAX_LENGTH = 10_000;

/** A text of a service as it may be shown: one line, nothing in it but what is seen. */
export function plain(text: unknown): string {
  return String(text ?? "")
    .slice(0, MAX_LENGTH)
    .replace(/\s+/g, " ")
    .replace(ACTING, "\ufffd");
}

/** Columns that a text takes; the characters of East Asia and most emoji take two. */
export function widthOf(text: string): number {
  let width = 0;
  for (const character of text) {
    if (/\p{M}/u.test(character)) continue;
    width +=
      /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u.test(
        character,
      )
        ? 2
        : 1;
  }
  return width;
}

/** A text within so many columns, `…` where it is cut. */
export function truncate(text: string, width: number): string {
  if (widthOf(text) <= width) return text;
  let cut = "";
  let taken = 1;
  for (const character of text) {
    taken += widthOf(character);
    if (taken > width) break;
    cut += character;
  }
  return `${cut}…`;
}

/** Breaks a text into lines of so many columns, at spaces where there are some; at most so many lines. */
export function wrap(text: string, width: number, maxLines = Infinity): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ").flatMap((one) => pieces(one, width))) {
    if (line !== "" && widthOf(line) + 1 + widthOf(word) > width) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  if (line !== "") lines.push(line);
  if (lines.length <= maxLines) return lines;
  const [last = ""] = lines.splice(maxLines - 1);
  return [...lines, truncate(`${last} …`, width)];
}

/** A word that is too long for a line, in parts that fit. */
function pieces(word: string, width: number): string[] {
  if (widthOf(word) <= width) return word === "" ? [] : [word];
  const parts: string[] = [];
  let part = "";
  for (const character of word) {
    if (widthOf(part) + widthOf(character) > width) {
      parts.push(part);
      part = "";
    }
    part += character;
  }
  return [...parts, part];
}

/**
 * Characters that are not seen, or that move others about: controls, marks of direction, of no width, filling letters, tags, half of a pair.
 * Shown as they are, they could make one name look like another. What only makes an emoji of the sign before it is left alone.
 */
const UNSEEN = /(?<!\p{Emoji})\ufe0f|(?!\ufe0f)[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{DI}]/gu;

/** More signs above one another than any script needs would cover the lines around them. */
const PILE = /(\p{M}{4})\p{M}+/gu;

/** On one line, at most `longest` characters, with what cannot be seen written out: `⟨202E⟩`. */
export function showLine(text: string, longest = 300): string {
  const cut = text.length > longest ? `${text.slice(0, longest)}…` : text;
  return cut.replace(PILE, "$1").replace(UNSEEN, (char) => (char === "\n" ? "↵" : char === "\t" ? "⇥" : nameOf(char)));
}

/** The same over several lines. */
export function showLines(text: string, longest = 20_000): string {
  const cut = text.length > longest ? `${text.slice(0, longest)}…` : text;
  return cut
    .replace(PILE, "$1")
    .replace(UNSEEN, (char) => (char === "\n" || char === "\t" ? char : char === "\r" ? "" : nameOf(char)));
}

function nameOf(char: string): string {
  return `⟨${(char.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}⟩`;
}

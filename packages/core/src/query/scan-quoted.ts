/**
 * The position after a quoted text that opens at `from` (`'`, `"`, a backtick or `[`), whose close, doubled, is part of
 * the content (but for `[`); negative where it is never closed.
 */
export function scanQuoted(text: string, from: number, backslashes: boolean): number {
  const open = text.charAt(from);
  const close = open === "[" ? "]" : open;
  if (!backslashes) {
    let at = text.indexOf(close, from + 1);
    if (open !== "[") while (at !== -1 && text.charAt(at + 1) === close) at = text.indexOf(close, at + 2);
    return at === -1 ? -text.length : at + 1;
  }
  const quote = open.charCodeAt(0);
  for (let at = from + 1; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === 92) at += 1;
    else if (code === quote) {
      if (text.charCodeAt(at + 1) !== quote) return at + 1;
      at += 1;
    }
  }
  return -text.length;
}

const TAG = /\$(?:[A-Za-z_\u0080-\uffff][A-Za-z0-9_\u0080-\uffff]*)?\$/y;

/** The position after a dollar-quoted string, the text's end where it is never closed; `from` where none opens. */
export function scanDollarQuote(text: string, from: number): number {
  TAG.lastIndex = from;
  const tag = TAG.exec(text)?.[0];
  if (tag === undefined) return from;
  const close = text.indexOf(tag, from + tag.length);
  return close === -1 ? text.length : close + tag.length;
}

export function skipLineComment(text: string, from: number): number {
  for (let at = from; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === 10 || code === 13) return at;
  }
  return text.length;
}

/** PostgreSQL's comments nest. */
export function skipBlockComment(text: string, from: number, nested: boolean): number {
  if (!nested) {
    const close = text.indexOf("*/", from + 2);
    return close === -1 ? text.length : close + 2;
  }
  let depth = 1;
  for (let at = from + 2; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === 42 && text.charCodeAt(at + 1) === 47) {
      at += 1;
      depth -= 1;
      if (depth === 0) return at + 1;
    } else if (code === 47 && text.charCodeAt(at + 1) === 42) {
      at += 1;
      depth += 1;
    }
  }
  return text.length;
}

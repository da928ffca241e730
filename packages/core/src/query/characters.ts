const OTHER = 0;
export const SPACE = 1;
export const DIGIT = 2;
export const LETTER = 3;
export const OPERATOR = 4;
const CLASSES = new Uint8Array(128);
for (const char of " \t\n\r\f\v\0") CLASSES[char.charCodeAt(0)] = SPACE;
for (const char of "0123456789") CLASSES[char.charCodeAt(0)] = DIGIT;
for (const char of "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_") CLASSES[char.charCodeAt(0)] = LETTER;
for (const char of "+-*/<>=~!@#%^&|`?") CLASSES[char.charCodeAt(0)] = OPERATOR;
const WORD_PARTS = CLASSES.map((kind, code) => (kind === LETTER || kind === DIGIT || code === 36 ? 1 : 0));

export function classOf(text: string, position: number): number {
  const code = text.charCodeAt(position);
  return code < 128 ? (CLASSES[code] ?? OTHER) : code >= 128 ? LETTER : OTHER;
}

export function isBlank(text: string, position: number): boolean {
  return position >= text.length || text.charCodeAt(position) <= 32;
}

export function isWordPart(text: string, position: number): boolean {
  const kind = classOf(text, position);
  return kind === LETTER || kind === DIGIT || text.charCodeAt(position) === 36;
}

/** The position after the letters, digits and `$` from here on. */
export function skipWordParts(text: string, from: number): number {
  let at = from;
  let code = text.charCodeAt(at);
  // Above ASCII all are letters; beyond the text's end NaN is nothing.
  while (code < 128 ? WORD_PARTS[code] === 1 : code >= 128) code = text.charCodeAt(++at);
  return at;
}

export function skipSpace(text: string, from: number): number {
  let at = from;
  let code = text.charCodeAt(at);
  while (code < 128 && CLASSES[code] === SPACE) code = text.charCodeAt(++at);
  return at;
}

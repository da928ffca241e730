const MAX_LENGTH = 100_000;

/** JSON over several lines; what is none stands as it came. */
export function layOutJson(text: string): string {
  if (text.length > MAX_LENGTH || !/^\s*[[{]/.test(text)) return text;
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

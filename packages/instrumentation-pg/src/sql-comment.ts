/** What a comment says; the same for every call of a process. */
export type SqlTags = Readonly<Record<string, string>>;

/** The comment, with a space before it: `application='shop',db_driver='pg'` as https://google.github.io/sqlcommenter/spec/ has it; empty without tags. */
export function writeComment(tags: SqlTags): string {
  const pairs = Object.keys(tags)
    .toSorted()
    .flatMap((key) => (tags[key] === undefined || tags[key] === "" ? [] : [`${encode(key)}='${encode(tags[key])}'`]));
  return pairs.length === 0 ? "" : ` /*${pairs.join(",")}*/`;
}

/**
 * A text with the comment at its end, before semicolons. One that has comments, or what looks like one, stays as it is: within `--` ours would
 * be lost, and who has written one means it. What is valid is outside of all quotes at its end; what is not stays invalid, as the comment's quotes come
 * in pairs.
 */
export function addComment(text: string, comment: string): string {
  if (text.includes("--") || text.includes("/*")) return text;
  let end = text.length;
  while (end > 0 && " \t\n\r\f\v;".includes(text.charAt(end - 1))) end -= 1;
  return end === 0 ? text : text.slice(0, end) + comment + text.slice(end);
}

/** Nothing is left that could end a text or a comment: no quote, no star. */
function encode(text: string): string {
  return encodeURIComponent(text.toWellFormed()).replaceAll(
    /[!'()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/** Where a request sent goes to, with what tells it from others of its shape. */
export interface SentUrl {
  /** `/users/:id?expand`: segments that are ids are `:id`, of the query only the names stay. */
  readonly template: string;
  /** The URL without what says which page of it is asked for. */
  readonly stem: string;
}

const PAGE =
  /^(?:page|p|page_?(?:no|num|number|size|token)|per_?page|offset|skip|start|limit|size|count|take|top|cursor|after|before|since|since_id|max_id|starting_after|ending_before|next|next_?token|continuation_?token|marker)$/i;

/** Reads the URL of a request: absolute, as an operation has it. */
export function readUrl(url: string): SentUrl {
  const pathAt = url.indexOf("/", url.indexOf("://") + 3);
  const queryAt = url.indexOf("?");
  const end = queryAt < 0 ? url.length : queryAt;
  const path = pathAt < 0 || pathAt > end ? "/" : url.slice(pathAt, end);
  const template = path
    .split("/")
    .map((segment) => (isId(segment) ? ":id" : segment))
    .join("/");
  if (queryAt < 0) return { template, stem: url };
  const names = new Set<string>();
  const kept: string[] = [];
  for (const part of url.slice(queryAt + 1).split("&")) {
    const name = part.split("=", 1)[0] ?? "";
    if (PAGE.test(name)) continue;
    names.add(name);
    kept.push(part);
  }
  const query = [...names].sort().join("&");
  return { template: query === "" ? template : `${template}?${query}`, stem: `${url.slice(0, end)}?${kept.join("&")}` };
}

/** What holds a digit is an id, but for versions and short names: `v1`, `oauth2`, `s3`. So is a long word of hexadecimal digits. */
function isId(segment: string): boolean {
  if (!/\d/.test(segment)) return /^[0-9a-f-]{16,}$/i.test(segment) || segment.includes("@") || /%40/.test(segment);
  return !/^v\d+(?:\.\d+)*$/i.test(segment) && !/^[a-z][a-z-]*\d{1,2}$/i.test(segment);
}

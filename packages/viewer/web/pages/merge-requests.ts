import type { RequestItem, Requests } from "../../src/api/answers.js";

/** What of the list is on the page, and where more of it begins. */
export type Shown = Pick<Requests, "requests" | "next">;

/** More than this is only shown to those who load more: the newest ones coming in start over. */
const MAX_FOLLOWED = 2000;

export const idOf = ({ traceId, spanId }: RequestItem): string => `${traceId}-${spanId}`;

const idsOf = (requests: readonly RequestItem[]): ReadonlySet<string> => new Set(requests.map(idOf));

/** Those of the newest page that are not shown; what is older than all that is shown was never new. */
export function findFresh(shown: readonly RequestItem[], newest: readonly RequestItem[]): readonly RequestItem[] {
  const known = idsOf(shown);
  const oldest = shown.at(-1)?.startMs ?? -Infinity;
  return newest.filter((request) => !known.has(idOf(request)) && request.startMs >= oldest);
}

/** The newest page above what is shown; alone where others may be between the two, or where it would become too much. */
export function mergeNewest(shown: Shown, newest: Shown): Shown {
  if (findFresh(shown.requests, newest.requests).length === 0) {
    return { ...shown, requests: updateShown(shown.requests, newest.requests) };
  }
  const known = idsOf(shown.requests);
  const isNext = newest.next === null || newest.requests.some((request) => known.has(idOf(request)));
  const requests = joinRequests(newest.requests, shown.requests);
  return isNext && requests.length <= MAX_FOLLOWED ? { requests, next: shown.next } : newest;
}

/** The same lines in the same order, with what has become known of them since. */
export function updateShown(shown: readonly RequestItem[], newest: readonly RequestItem[]): readonly RequestItem[] {
  const newer = new Map(newest.map((request) => [idOf(request), request]));
  return shown.map((request) => newer.get(idOf(request)) ?? request);
}

/** Both, each once, newest first; of one that is in both, what `first` says. */
export function joinRequests(first: readonly RequestItem[], second: readonly RequestItem[]): readonly RequestItem[] {
  const known = idsOf(first);
  return [...first, ...second.filter((request) => !known.has(idOf(request)))].sort((a, b) => b.startMs - a.startMs);
}

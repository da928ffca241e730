import { expect, test } from "vitest";
import type { RequestItem } from "../src/api/answers.js";
import { findFresh, joinRequests, mergeNewest, updateShown } from "../web/pages/merge-requests.js";

const request = (second: number, queries = 0): RequestItem => ({
  traceId: `trace${second}`,
  spanId: `span${second}`,
  service: "shop",
  route: "GET /orders",
  name: "GET",
  target: null,
  status: 200,
  isError: false,
  startMs: second * 1000,
  durationMs: 5,
  did: { spans: 1, queries, queryMs: 0, cacheHits: 0, cacheMisses: 0, httpCalls: 0 },
  findings: [],
});
const list = (...seconds: number[]) => seconds.map((second) => request(second));
const seconds = (requests: readonly RequestItem[]) => requests.map(({ startMs }) => startMs / 1000);

test("what is shown keeps its lines and their order, whatever comes; its numbers grow", () => {
  const after = updateShown(list(3, 2, 1), [request(5), request(4), request(3, 12)]);
  expect(seconds(after)).toEqual([3, 2, 1]);
  expect(after.map(({ did }) => did.queries)).toEqual([12, 0, 0]);
});

test("new is what is not shown; but not what is older than all that is", () => {
  expect(seconds(findFresh(list(5, 4, 3), list(7, 6, 5, 4, 3, 2)))).toEqual([7, 6]);
  // One that took long, and ended after others that began later.
  expect(seconds(findFresh(list(5, 3), list(5, 4, 3)))).toEqual([4]);
  expect(findFresh([], [])).toEqual([]);
});

test("new ones come above those shown, and more is still where it was", () => {
  const merged = mergeNewest({ requests: list(5, 3), next: "older" }, { requests: list(6, 5, 4), next: "newer" });
  expect(seconds(merged.requests)).toEqual([6, 5, 4, 3]);
  expect(merged.next).toBe("older");
});

test("where others may be between them, the newest stand alone: a list with a hole would lie", () => {
  const newest = { requests: list(90, 89), next: "between" };
  expect(mergeNewest({ requests: list(5, 3), next: null }, newest)).toEqual(newest);
  const all = mergeNewest({ requests: list(5, 3), next: null }, { requests: list(90, 89), next: null });
  expect(seconds(all.requests)).toEqual([90, 89, 5, 3]);
});

test("a search that found nothing new empties nothing", () => {
  const shown = { requests: list(5, 3), next: "older" };
  expect(mergeNewest(shown, { requests: [], next: "somewhere" })).toEqual(shown);
});

test("following for long starts over instead of growing without end", () => {
  const many = Array.from({ length: 2000 }, (_, index) => request(2000 - index));
  const newest = { requests: list(2001, 2000), next: "before 2000" };
  expect(mergeNewest({ requests: many, next: null }, newest)).toEqual(newest);
});

test("pages are joined, each request once", () => {
  expect(seconds(joinRequests(list(5, 4), list(4, 3)))).toEqual([5, 4, 3]);
});

import { useEffect, useRef, useState } from "preact/hooks";
import type { RequestItem, Requests } from "../../src/api/answers.js";
import { ask, useApi, type Answer } from "../api.js";
import { leftRow } from "../router.js";
import { findFresh, joinRequests, mergeNewest, updateShown, type Shown } from "./merge-requests.js";

/** How often the API is asked to search on before people are. */
const MAX_ROUNDS = 20;

export interface RequestList {
  readonly answer: Answer<Requests>;
  readonly requests: readonly RequestItem[];
  readonly services: readonly string[];
  readonly routes: readonly string[];
  /** How many new ones wait to be shown, and whether there are others between them and those shown. */
  readonly waiting: number;
  readonly hasGap: boolean;
  readonly showNew: () => void;
  readonly isFollowing: boolean;
  readonly follow: (isFollowing: boolean) => void;
  /** Undefined where there are no more. */
  readonly loadMore: (() => void) | undefined;
  readonly isLoadingMore: boolean;
  readonly problem: string | undefined;
}

/** The list as it was left for a trace: who comes back goes on reading where they were. */
let left: { readonly path: string; readonly shown: Shown; readonly data: Requests } | undefined;

/**
 * The list behind `path`. What is shown stays where it is, so that nobody loses the line being read: new ones wait until they are asked
 * for, or come in while following. What becomes known of those shown (a request's last spans come later) is told in place.
 */
export function useRequests(path: string): RequestList {
  const answer = useApi<Requests>(path, ["spans"], { everyMs: 1000 });
  const [back] = useState(() => (leftRow() !== undefined && left?.path === path ? left : undefined));
  const [shown, setShown] = useState<Shown & { readonly path?: string }>(
    back ? { path, ...back.shown } : { requests: [], next: null },
  );
  const [isFollowing, follow] = useState(false);
  const [isLoadingMore, setLoadingMore] = useState(false);
  const [problem, setProblem] = useState<string>();
  const pathNow = useRef(path);
  pathNow.current = path;

  const data = answer.data ?? (back?.path === path ? back.data : undefined);
  useEffect(() => {
    if (!data) return;
    setShown((last) => {
      if (last.path !== path) return { path, requests: data.requests, next: data.next };
      return isFollowing || last.requests.length === 0
        ? { path, ...mergeNewest(last, data) }
        : { ...last, requests: updateShown(last.requests, data.requests) };
    });
  }, [data, path, isFollowing]);

  const isCurrent = shown.path === path;
  useEffect(() => {
    if (data && isCurrent) left = { path, shown, data };
  }, [data, path, shown, isCurrent]);
  const requests = isCurrent ? shown.requests : (data?.requests ?? []);
  const fresh = findFresh(requests, data?.requests ?? []);
  const hasGap = data !== undefined && fresh.length === data.requests.length && data.next !== null;

  const loadMore = async (from: string) => {
    setLoadingMore(true);
    setProblem(undefined);
    try {
      let before: string | null = from;
      // The API searches for a while and then says where to go on: with nothing found, that is no answer for people.
      for (let round = 0; round < MAX_ROUNDS && before !== null && pathNow.current === path; round++) {
        const { requests, next }: Requests = await ask<Requests>(
          `${path}${path.includes("?") ? "&" : "?"}before=${encodeURIComponent(before)}`,
        );
        if (pathNow.current !== path) return;
        setShown((last) => ({ path, requests: joinRequests(last.requests, requests), next }));
        before = requests.length > 0 ? null : next;
      }
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
    } finally {
      setLoadingMore(false);
    }
  };

  const next = isCurrent ? shown.next : null;
  return {
    answer: { ...answer, data },
    requests,
    services: data?.services ?? [],
    routes: data?.routes ?? [],
    waiting: fresh.length,
    hasGap,
    showNew: () => {
      if (data) setShown((last) => ({ path, ...mergeNewest(last, data) }));
      scrollTo(0, 0);
    },
    isFollowing,
    follow,
    loadMore: next === null ? undefined : () => void loadMore(next),
    isLoadingMore,
    problem,
  };
}

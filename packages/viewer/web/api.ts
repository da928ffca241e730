import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import type { Change, Problem } from "../src/api/answers.js";
import { watchChanges } from "./live.js";

export type Query = Readonly<Record<string, string | number | boolean | null | undefined>>;

/** `/api/…` with its parameters; those that are null, undefined or "" are left out. `parts` are encoded. */
export function apiPath(parts: readonly string[], query: Query = {}): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== null && value !== undefined && value !== "") search.set(name, String(value));
  }
  const text = search.toString();
  return `/api/${parts.map(encodeURIComponent).join("/")}${text && `?${text}`}`;
}

/** What the API said instead of an answer. */
export class ApiError extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** Throws an `ApiError` for whatever is no answer; status 0 where nobody answered. */
export async function ask<T>(path: string, init: RequestInit = {}): Promise<T> {
  const response = await fetch(path, init).catch((error: unknown) => {
    if (init.signal?.aborted) throw error;
    throw new ApiError(0, "The viewer does not answer. Is it still running?");
  });
  const body: unknown = await response.json().catch(() => undefined);
  if (response.ok && body !== undefined) return body as T;
  const { error = `The viewer answered with status ${response.status}.` } = (body ?? {}) as Partial<Problem>;
  throw new ApiError(response.status, error);
}

export const post = <T>(path: string, body: unknown): Promise<T> =>
  ask<T>(path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });

export interface Answer<T> {
  /** The last answer for this path; it stays while the next one is on its way. */
  readonly data: T | undefined;
  readonly error: ApiError | undefined;
  /** Asks again now. */
  readonly refresh: () => void;
}

/**
 * Asks `path`, and again when something of `kinds` has come, at most every `everyMs` (default 2000); without `kinds` once. Pages that
 * nobody sees do not ask. `undefined` asks nothing.
 */
export function useApi<T>(
  path: string | undefined,
  kinds: Change["kinds"] = [],
  { everyMs = 2000 }: { readonly everyMs?: number } = {},
): Answer<T> {
  const [answer, setAnswer] = useState<{ path: string | undefined; data?: T; error?: ApiError }>({ path });
  const refreshRef = useRef<() => void>(() => {});
  const wanted = kinds.join(" ");

  useEffect(() => {
    if (path === undefined) return undefined;
    const abort = new AbortController();
    let isAsking = false;
    let isStale = false;
    let askedAt = 0;
    let tookMs = 0;
    let timer: ReturnType<typeof setTimeout> | undefined;

    const load = async () => {
      timer = undefined;
      if (document.hidden && askedAt > 0) {
        isStale = true;
        return;
      }
      if (isAsking) {
        isStale = true;
        return;
      }
      isAsking = true;
      isStale = false;
      askedAt = Date.now();
      try {
        const data = await ask<T>(path, { signal: abort.signal });
        if (!abort.signal.aborted) setAnswer({ path, data });
      } catch (error) {
        if (abort.signal.aborted) return;
        const problem = error instanceof ApiError ? error : new ApiError(0, String(error));
        // What was shown stays: it is still what was last known.
        setAnswer((last) =>
          last.path === path && last.data !== undefined ? { ...last, error: problem } : { path, error: problem },
        );
      } finally {
        isAsking = false;
        tookMs = Date.now() - askedAt;
        if (isStale && !document.hidden && !abort.signal.aborted) soon();
      }
    };
    const soon = () => {
      // What takes long is asked for less often: a page must not be what keeps the viewer busy.
      timer ??= setTimeout(() => void load(), Math.max(0, askedAt + Math.max(everyMs, 5 * tookMs) - Date.now()));
    };
    const unwatch = wanted
      ? watchChanges((change) => {
          if (change.kinds.some((kind) => wanted.includes(kind))) soon();
        })
      : () => {};
    const onVisible = () => {
      if (!document.hidden && isStale) soon();
    };
    document.addEventListener("visibilitychange", onVisible);
    refreshRef.current = () => void load();
    void load();
    return () => {
      abort.abort();
      clearTimeout(timer);
      unwatch();
      document.removeEventListener("visibilitychange", onVisible);
    };
  }, [path, wanted, everyMs]);

  const refresh = useCallback(() => refreshRef.current(), []);
  const isCurrent = answer.path === path;
  return { data: isCurrent ? answer.data : undefined, error: isCurrent ? answer.error : undefined, refresh };
}

import { useEffect, useState } from "preact/hooks";
import type { Change } from "../src/api/answers.js";

export type LiveState = "connecting" | "live" | "lost" | "paused";

/** Nothing need come for time to pass: what happened within the last minutes changes by itself. */
const TICK_MS = 15_000;
const ANYTHING: Change = { kinds: ["spans", "logs", "metrics", "findings"], spans: 0 };

const changeWatchers = new Set<(change: Change) => void>();
const stateWatchers = new Set<(state: LiveState) => void>();
let source: EventSource | undefined;
let state: LiveState = "connecting";
let isFollowing = false;
/** Opened behind another page, it may have to wait long for its first connection. */
let wasLive = document.hidden;

function tell(change: Change): void {
  for (const watcher of changeWatchers) watcher(change);
}

function become(next: LiveState): void {
  state = next;
  for (const watcher of stateWatchers) watcher(next);
}

function connect(): void {
  source?.close();
  source = new EventSource("/api/live");
  become("connecting");
  source.addEventListener("open", () => {
    become("live");
    // Whatever came while nobody listened.
    if (wasLive) tell(ANYTHING);
    wasLive = true;
  });
  source.addEventListener("error", () => {
    become("lost");
    // An answer that is no stream ends it for good: the browser tries again by itself only after a lost connection.
    if (source?.readyState === EventSource.CLOSED) setTimeout(() => state === "lost" && connect(), 3000);
  });
  source.addEventListener("change", (event) => {
    tell(JSON.parse(event.data as string) as Change);
  });
}

/**
 * A browser has six connections for all pages of one address: with that many open, the seventh would wait for ever. Nobody looks at those
 * that are behind others.
 */
function follow(): void {
  if (state === "paused") return;
  if (!document.hidden) return connect();
  source?.close();
  become("connecting");
}

/** Hears what the viewer has received, at most once a second, until the function it returns is called. */
export function watchChanges(watcher: (change: Change) => void): () => void {
  if (!isFollowing) {
    isFollowing = true;
    follow();
    document.addEventListener("visibilitychange", follow);
    setInterval(() => state === "live" && tell(ANYTHING), TICK_MS);
  }
  changeWatchers.add(watcher);
  return () => void changeWatchers.delete(watcher);
}

/** Stops all pages from changing under the reader's eyes, or lets them go on. */
export function togglePause(): void {
  if (state === "paused") return connect();
  source?.close();
  become("paused");
}

export function useLiveState(): LiveState {
  const [now, setNow] = useState(state);
  useEffect(() => {
    stateWatchers.add(setNow);
    setNow(state);
    return () => void stateWatchers.delete(setNow);
  }, []);
  return now;
}

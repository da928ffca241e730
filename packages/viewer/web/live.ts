import { useEffect, useState } from "preact/hooks";
import type { Change } from "../src/api/answers.js";

export type LiveState = "connecting" | "live" | "lost" | "paused";

const changeWatchers = new Set<(change: Change) => void>();
const stateWatchers = new Set<(state: LiveState) => void>();
let source: EventSource | undefined;
let state: LiveState = "connecting";

function become(next: LiveState): void {
  state = next;
  for (const watcher of stateWatchers) watcher(next);
}

function connect(): void {
  source = new EventSource("/api/live");
  become("connecting");
  source.addEventListener("open", () => become("live"));
  source.addEventListener("error", () => {
    become("lost");
    // An answer that is no stream ends it for good: the browser tries again by itself only after a lost connection.
    if (source?.readyState === EventSource.CLOSED) setTimeout(() => state === "lost" && connect(), 3000);
  });
  source.addEventListener("change", (event) => {
    const change = JSON.parse(event.data as string) as Change;
    for (const watcher of changeWatchers) watcher(change);
  });
}

/** Hears what the viewer has received, at most once a second, until the function it returns is called. */
export function watchChanges(watcher: (change: Change) => void): () => void {
  if (!source) connect();
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

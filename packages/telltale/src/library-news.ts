import { enabledInstrumentations, say, sayLateModules, seenModules, startTimer, stopTimer } from "@telltale/core";
import { cureOf, findBundled } from "./bundled.js";

/** After this a library of which nothing was heard is named. */
const SILENT_MS = 60_000;

/**
 * Says what cannot be heard, and why, as soon as it is known: libraries that were loaded before, and those that a bundler has put into the
 * app's own file. A minute later, to who wants to hear it, those that are patched and silent: none of them is in `heard`. Returns what ends that.
 */
export function tellLibraries(
  script: string | undefined,
  heard: ReadonlySet<string>,
  silentMs = SILENT_MS,
): () => void {
  sayLateModules();
  const known = [...enabledInstrumentations()].flatMap(({ modules }) => modules);
  const bundled = script === undefined ? [] : findBundled(script, known);
  if (bundled.length > 0) {
    say("info", `${bundled.join(", ")}: bundled into ${script}, where nothing can be seen of it; ${cureOf(bundled)}`);
  }
  const timer = startTimer(() => {
    for (const library of seenModules()) {
      const { name, version, state, calls } = library;
      if (state !== "patched" || calls === undefined || heard.has(calls)) continue;
      say("debug", `${name} ${version} is loaded and patched: 0 operations in ${silentMs / 1000} s`);
    }
  }, silentMs).unref();
  return () => stopTimer(timer);
}

import { METRICS, type SeenModule, seenModules } from "@telltale/core";
import type { NumberSeries } from "./number-series.js";
import type { Recorded } from "./recorded.js";
import { createNumberSet } from "./series-set.js";

/** Copies and versions of the libraries of one process, in all the states they go through. */
const MAX_SERIES = 200;

/** Which libraries the process has loaded, and whether they are heard. Read when somebody collects; `heard` has the libraries of all calls. */
export function createLibraryMetrics(heard: ReadonlySet<string>) {
  const known = createNumberSet(METRICS.libraries, MAX_SERIES);

  function seriesOf({ name, version, state, calls }: SeenModule): NumberSeries {
    const isSilent = state === "patched" && calls !== undefined && !heard.has(calls);
    return known.of({
      "telltale.library.name": name,
      "telltale.library.version": version,
      "telltale.library.state": isSilent ? "silent" : state,
    });
  }

  return {
    read(): Recorded[] {
      for (const series of known.all) series.value = 0;
      for (const library of seenModules()) seriesOf(library).value = 1;
      // What is no longer so stays, as 0: a series must not vanish while somebody adds it up.
      return [{ definition: METRICS.libraries, numbers: known.all, isObserved: true }];
    },
  };
}

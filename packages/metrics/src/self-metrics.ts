import { METRICS, type SelfCounter, selfCounters } from "@telltale/core";
import { NumberSeries } from "./number-series.js";
import type { Recorded } from "./recorded.js";
import { PROCESS_START } from "./time.js";

const OWN = [METRICS.spans, METRICS.labelsOverflow, METRICS.limitsReached, METRICS.errors, METRICS.metricsDropped];

/** Telltale's own counters; core counts them from the start of the process. */
export function createSelfMetrics() {
  const known = new Map<SelfCounter, NumberSeries>();

  function seriesOf(counter: SelfCounter): NumberSeries {
    let series = known.get(counter);
    if (series === undefined) {
      series = new NumberSeries({ [counter.attribute]: counter.value }, PROCESS_START);
      known.set(counter, series);
    }
    series.value = counter.total;
    return series;
  }

  return {
    read(): Recorded[] {
      const counters = [...selfCounters()];
      return OWN.map((definition) => ({
        definition,
        numbers: counters.filter(({ metric }) => metric === definition.name).map(seriesOf),
        isObserved: true,
      }));
    },
  };
}

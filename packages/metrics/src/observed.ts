import type { MetricDefinition } from "@telltale/core";
import { NumberSeries } from "./number-series.js";
import type { Recorded } from "./recorded.js";
import { PROCESS_START } from "./time.js";

/** A metric of one series whose value is read at each collection. */
export function observeOne(definition: MetricDefinition): (value: number) => Recorded {
  const series = new NumberSeries({}, PROCESS_START);
  const recorded: Recorded = { definition, numbers: [series], isObserved: true };
  return (value) => {
    series.value = value;
    return recorded;
  };
}

/** A metric whose series are told apart by one attribute; a value that is not named any more is forgotten. */
export function observeMany(
  definition: MetricDefinition,
  attribute: string,
): (values: Iterable<readonly [string, number]>) => Recorded {
  let known = new Map<string, NumberSeries>();
  return (values) => {
    const named = new Map<string, NumberSeries>();
    for (const [name, value] of values) {
      const series = known.get(name) ?? new NumberSeries({ [attribute]: name }, PROCESS_START);
      series.value = value;
      named.set(name, series);
    }
    known = named;
    return { definition, numbers: [...known.values()], isObserved: true };
  };
}

import type { HrTime } from "@opentelemetry/api";
import type { MetricData } from "@opentelemetry/sdk-metrics";
import { METRICS, selfCounters } from "@telltale/core";
import { numberData } from "./metric-data.js";
import { toHrTime } from "./time.js";

const OWN = [METRICS.spans, METRICS.labelsOverflow, METRICS.errors, METRICS.metricsDropped];
const PROCESS_START = toHrTime(performance.timeOrigin);

/** Telltale's own counters; core counts them from the start of the process. */
export function collectSelfMetrics(now: HrTime): MetricData[] {
  const counters = [...selfCounters()];
  return OWN.flatMap((definition) =>
    numberData(
      definition,
      counters
        .filter(({ metric }) => metric === definition.name)
        .map(({ attribute, value, total }) => ({
          attributes: { [attribute]: value },
          startTime: PROCESS_START,
          value: total,
        })),
      now,
    ),
  );
}

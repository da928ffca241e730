import { constants, monitorEventLoopDelay, PerformanceObserver } from "node:perf_hooks";
import { getHeapSpaceStatistics } from "node:v8";
import type { HrTime } from "@opentelemetry/api";
import type { MetricData } from "@opentelemetry/sdk-metrics";
import { METRICS } from "@telltale/core";
import { createHistogramFamily, type Observation, observedData } from "./family.js";

/** The runtime's metrics, read when they are collected. */
export interface Runtime {
  collect(endTime: HrTime): MetricData[];
  stop(): void;
}

const NS = 1e-9;
const MS = 1e-3;
const GC_TYPES: Readonly<Record<number, string>> = {
  [constants.NODE_PERFORMANCE_GC_MAJOR]: "major",
  [constants.NODE_PERFORMANCE_GC_MINOR]: "minor",
  [constants.NODE_PERFORMANCE_GC_INCREMENTAL]: "incremental",
  [constants.NODE_PERFORMANCE_GC_WEAKCB]: "weakcb",
};

/**
 * Event loop, garbage collector, heap, CPU and memory, by the conventions for Node.js, V8 and processes. Delay percentiles and
 * utilisation are those since the collection before. Nothing here keeps the process alive.
 */
export function observeRuntime(startTime: HrTime): Runtime {
  // 20 ms: half the default's wake-ups, and still finer than any delay worth a look.
  const delay = monitorEventLoopDelay({ resolution: 20 });
  delay.enable();
  const collections = createHistogramFamily(METRICS.gcDuration, ["v8js.gc.type"], 10);
  const observer = new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      const { kind = 0 } = (entry as { detail?: { kind?: number } }).detail ?? {};
      collections.cell(GC_TYPES[kind] ?? "other").record(entry.duration * MS);
    }
  });
  observer.observe({ entryTypes: ["gc"] });
  let loop = performance.eventLoopUtilization();
  let cpu = process.cpuUsage();
  let cpuAtMs = performance.now();

  return {
    collect(endTime) {
      const data = (definition: (typeof METRICS)[keyof typeof METRICS], ...observations: Observation[]) =>
        observedData(definition, observations, startTime, endTime);
      const now = performance.eventLoopUtilization();
      const { utilization } = performance.eventLoopUtilization(now, loop);
      loop = now;
      const nowMs = performance.now();
      const cpuNow = process.cpuUsage();
      const spentUs = (nowMs - cpuAtMs) * 1e3;
      const share = (key: "user" | "system"): number => (spentUs > 0 ? (cpuNow[key] - cpu[key]) / spentUs : 0);
      const cpuShares: Observation[] = [
        [share("user"), { "cpu.mode": "user" }],
        [share("system"), { "cpu.mode": "system" }],
      ];
      cpu = cpuNow;
      cpuAtMs = nowMs;
      const spaces = getHeapSpaceStatistics().map((space) => ({
        space,
        labels: { "v8js.heap.space.name": space.space_name },
      }));
      const delays = delay.count === 0 ? [] : collectDelays();
      delay.reset();
      const gc = collections.collect(endTime);
      return [
        ...delays,
        data(METRICS.loopUtilization, [utilization, {}]),
        data(
          METRICS.loopTime,
          [now.active * MS, { "nodejs.eventloop.state": "active" }],
          [now.idle * MS, { "nodejs.eventloop.state": "idle" }],
        ),
        ...(gc === undefined ? [] : [gc]),
        data(METRICS.heapUsed, ...spaces.map(({ space, labels }): Observation => [space.space_used_size, labels])),
        data(METRICS.heapLimit, ...spaces.map(({ space, labels }): Observation => [space.space_size, labels])),
        data(
          METRICS.heapAvailable,
          ...spaces.map(({ space, labels }): Observation => [space.space_available_size, labels]),
        ),
        data(
          METRICS.cpuTime,
          [cpuNow.user * 1e-6, { "cpu.mode": "user" }],
          [cpuNow.system * 1e-6, { "cpu.mode": "system" }],
        ),
        data(METRICS.cpuUtilization, ...cpuShares),
        data(METRICS.memoryUsage, [process.memoryUsage.rss(), {}]),
        data(METRICS.uptime, [process.uptime(), {}]),
      ];

      function collectDelays(): MetricData[] {
        return [
          data(METRICS.loopDelayMin, [delay.min * NS, {}]),
          data(METRICS.loopDelayMax, [delay.max * NS, {}]),
          data(METRICS.loopDelayMean, [delay.mean * NS, {}]),
          data(METRICS.loopDelayStddev, [delay.stddev * NS, {}]),
          data(METRICS.loopDelayP50, [delay.percentile(50) * NS, {}]),
          data(METRICS.loopDelayP90, [delay.percentile(90) * NS, {}]),
          data(METRICS.loopDelayP99, [delay.percentile(99) * NS, {}]),
        ];
      }
    },
    stop() {
      delay.disable();
      observer.disconnect();
    },
  };
}

import { availableParallelism } from "node:os";
import {
  constants,
  monitorEventLoopDelay,
  performance,
  type PerformanceEntry,
  PerformanceObserver,
} from "node:perf_hooks";
import { getHeapSpaceStatistics } from "node:v8";
import type { Attributes, HrTime } from "@opentelemetry/api";
import type { MetricData } from "@opentelemetry/sdk-metrics";
import { type MetricDefinition, METRICS } from "@telltale/core";
import { histogramSetData, numberData } from "./metric-data.js";
import { createHistogramSet, observe } from "./series.js";
import { toHrTime } from "./time.js";

/** How often the event loop is sampled, in ms. */
const RESOLUTION = 10;
const PROCESS_START = toHrTime(performance.timeOrigin);

/** Whatever is not here (minor mark-sweep, Node 24 and later) is minor. */
const GC_TYPES: Readonly<Record<number, string>> = {
  [constants.NODE_PERFORMANCE_GC_MAJOR]: "major",
  [constants.NODE_PERFORMANCE_GC_MINOR]: "minor",
  [constants.NODE_PERFORMANCE_GC_INCREMENTAL]: "incremental",
  [constants.NODE_PERFORMANCE_GC_WEAKCB]: "weakcb",
};

/**
 * Event loop, garbage collector, heap and process, by the Node.js, V8 and process conventions
 * (https://opentelemetry.io/docs/specs/semconv/runtime/). Delays and utilizations are those since the last collection, so
 * with two readers each sees the time since either collected. Nothing here keeps the process alive.
 */
export function watchRuntime() {
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION });
  delay.enable();
  const collections = createHistogramSet(METRICS.gcDuration, 10);
  const observer = new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      const { kind } = (entry as PerformanceEntry & { detail: { kind: number } }).detail;
      const type = GC_TYPES[kind] ?? "minor";
      observe(collections.get(type) ?? collections.add({ "v8js.gc.type": type }, type), entry.duration / 1000);
    }
  });
  observer.observe({ entryTypes: ["gc"] });
  let lastLoop = performance.eventLoopUtilization();
  let lastCpu = process.cpuUsage();
  let lastMs = performance.now();

  /** Node times the distance between two samples; what exceeds the resolution is delay, so an idle loop has none. */
  const delayed = (ns: number) => Math.max(0, ns / 1e9 - RESOLUTION / 1000);

  function delays(now: HrTime): MetricData[] {
    if (delay.count === 0) return [];
    const result = [
      ...one(METRICS.loopDelayMin, delayed(delay.min), now),
      ...one(METRICS.loopDelayMax, delayed(delay.max), now),
      ...one(METRICS.loopDelayMean, delayed(delay.mean), now),
      ...one(METRICS.loopDelayStddev, delay.stddev / 1e9, now),
      ...one(METRICS.loopDelayP50, delayed(delay.percentile(50)), now),
      ...one(METRICS.loopDelayP90, delayed(delay.percentile(90)), now),
      ...one(METRICS.loopDelayP99, delayed(delay.percentile(99)), now),
    ];
    delay.reset();
    return result;
  }

  function loop(now: HrTime): MetricData[] {
    const current = performance.eventLoopUtilization();
    const active = current.active - lastLoop.active;
    const all = active + current.idle - lastLoop.idle;
    lastLoop = current;
    return [
      ...one(METRICS.loopUtilization, all > 0 ? active / all : 0, now),
      ...many(METRICS.loopTime, "nodejs.eventloop.state", now, [
        ["active", current.active / 1000],
        ["idle", current.idle / 1000],
      ]),
    ];
  }

  function cpu(now: HrTime): MetricData[] {
    const current = process.cpuUsage();
    const nowMs = performance.now();
    // Microseconds that all CPUs had together.
    const available = (nowMs - lastMs) * 1000 * availableParallelism();
    const part = (used: number) => (available > 0 ? Math.min(1, used / available) : 0);
    const utilization = [
      ["user", part(current.user - lastCpu.user)],
      ["system", part(current.system - lastCpu.system)],
    ] as const;
    lastCpu = current;
    lastMs = nowMs;
    return [
      ...many(METRICS.cpuTime, "cpu.mode", now, [
        ["user", current.user / 1e6],
        ["system", current.system / 1e6],
      ]),
      ...many(METRICS.cpuUtilization, "cpu.mode", now, utilization),
    ];
  }

  function heap(now: HrTime): MetricData[] {
    const spaces = getHeapSpaceStatistics();
    const bySpace = (definition: MetricDefinition, read: (space: (typeof spaces)[number]) => number) =>
      many(
        definition,
        "v8js.heap.space.name",
        now,
        spaces.map((space) => [space.space_name, read(space)] as const),
      );
    return [
      ...bySpace(METRICS.heapUsed, (space) => space.space_used_size),
      ...bySpace(METRICS.heapSize, (space) => space.space_size),
      ...bySpace(METRICS.heapAvailable, (space) => space.space_available_size),
      ...bySpace(METRICS.heapPhysical, (space) => space.physical_space_size),
    ];
  }

  return {
    collect: (now: HrTime): MetricData[] => [
      ...delays(now),
      ...loop(now),
      ...histogramSetData(collections, now),
      ...heap(now),
      ...many(METRICS.resourcesActive, "v8js.resource.type", now, activeResources()),
      ...cpu(now),
      ...one(METRICS.memoryUsage, process.memoryUsage.rss(), now),
      ...one(METRICS.uptime, process.uptime(), now),
    ],
    stop(): void {
      delay.disable();
      observer.disconnect();
    },
  };
}

function activeResources(): Iterable<readonly [string, number]> {
  const byType = new Map<string, number>();
  for (const type of process.getActiveResourcesInfo()) byType.set(type, (byType.get(type) ?? 0) + 1);
  return byType;
}

const NONE: Attributes = {};

function one(definition: MetricDefinition, value: number, now: HrTime): MetricData[] {
  return numberData(definition, [{ attributes: NONE, startTime: PROCESS_START, value }], now);
}

function many(
  definition: MetricDefinition,
  attribute: string,
  now: HrTime,
  values: Iterable<readonly [string, number]>,
): MetricData[] {
  const series = Array.from(values, ([name, value]) => ({
    attributes: { [attribute]: name },
    startTime: PROCESS_START,
    value,
  }));
  return numberData(definition, series, now);
}

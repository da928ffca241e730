import { availableParallelism } from "node:os";
import { constants, performance, type PerformanceEntry, PerformanceObserver } from "node:perf_hooks";
import { attempt, createGuard, METRICS } from "@telltale/core";
import { watchLoopDelay } from "./loop-delay.js";
import { observeMany, observeOne } from "./observed.js";
import { type Recorded, recordedHistograms } from "./recorded.js";
import { createHistogramSet } from "./series-set.js";

/** Whatever is not here (minor mark-sweep, Node 24 and later) is minor. */
const GC_TYPES: Readonly<Record<number, string>> = {
  [constants.NODE_PERFORMANCE_GC_MAJOR]: "major",
  [constants.NODE_PERFORMANCE_GC_MINOR]: "minor",
  [constants.NODE_PERFORMANCE_GC_INCREMENTAL]: "incremental",
  [constants.NODE_PERFORMANCE_GC_WEAKCB]: "weakcb",
};

/** CPU time comes in ticks of up to 10 ms: over less than this, and right after another reader, a share of it says nothing. */
const SHORTEST_UTILIZATION_MS = 100;

/**
 * Event loop, garbage collector, heap and process, by the Node.js, V8 and process conventions
 * (https://opentelemetry.io/docs/specs/semconv/runtime/). Delays and utilizations are those since the last collection, so
 * with two readers each sees the time since either collected. Nothing here keeps the process alive.
 */
export function watchRuntime() {
  const { delays: delay, stop: stopDelays } = watchLoopDelay();
  const observe = createObservations();
  const collections = createHistogramSet(METRICS.gcDuration, 10);
  const guard = createGuard("garbage collector metrics");
  const observer = new PerformanceObserver((list) =>
    attempt(guard, () => {
      for (const entry of list.getEntries()) {
        const { kind } = (entry as PerformanceEntry & { detail: { kind: number } }).detail;
        const type = GC_TYPES[kind] ?? "minor";
        collections.of({ "v8js.gc.type": type }).record(entry.duration / 1000);
      }
    }),
  );
  observer.observe({ entryTypes: ["gc"] });
  let lastLoop = performance.eventLoopUtilization();
  let lastCpu = process.cpuUsage();
  let lastMs = performance.now();
  let lastDelays: Recorded[] = [];
  let lastUtilization: Recorded | undefined;

  /** Without a sample since another reader's collection a moment ago, what that one saw: a series must not come and go. */
  function delays(): Recorded[] {
    if (delay.count === 0) return lastDelays;
    lastDelays = [
      observe.delayMin(delay.min / 1e9),
      observe.delayMax(delay.max / 1e9),
      observe.delayMean(delay.mean / 1e9),
      observe.delayStddev(delay.stddev / 1e9),
      observe.delayP50(delay.percentile(50) / 1e9),
      observe.delayP90(delay.percentile(90) / 1e9),
      observe.delayP99(delay.percentile(99) / 1e9),
    ];
    delay.reset();
    return lastDelays;
  }

  function loop(): Recorded[] {
    const current = performance.eventLoopUtilization();
    const active = current.active - lastLoop.active;
    const all = active + current.idle - lastLoop.idle;
    lastLoop = current;
    return [
      observe.loopUtilization(all > 0 ? active / all : 0),
      observe.loopTime([
        ["active", current.active / 1000],
        ["idle", current.idle / 1000],
      ]),
    ];
  }

  function cpu(): Recorded[] {
    const current = process.cpuUsage();
    const nowMs = performance.now();
    const passedMs = nowMs - lastMs;
    if (lastUtilization === undefined || passedMs >= SHORTEST_UTILIZATION_MS) {
      const user = current.user - lastCpu.user;
      const system = current.system - lastCpu.system;
      // Microseconds that all CPUs had together; the kernel counts in ticks, and may give a process more.
      const available = Math.max(passedMs * 1000 * availableParallelism(), user + system, 1);
      lastUtilization = observe.cpuUtilization([
        ["user", user / available],
        ["system", system / available],
      ]);
      lastCpu = current;
      lastMs = nowMs;
    }
    return [
      observe.cpuTime([
        ["user", current.user / 1e6],
        ["system", current.system / 1e6],
      ]),
      lastUtilization,
    ];
  }

  function heap(): Recorded[] {
    // Not before the first collection: to load it takes half a millisecond.
    const { getHeapSpaceStatistics, getHeapStatistics } = process.getBuiltinModule("node:v8");
    const spaces = getHeapSpaceStatistics();
    const bySpace = (read: (space: (typeof spaces)[number]) => number) =>
      spaces.map((space) => [space.space_name, read(space)] as const);
    return [
      observe.heapUsed(bySpace((space) => space.space_used_size)),
      observe.heapSize(bySpace((space) => space.space_size)),
      observe.heapAvailable(bySpace((space) => space.space_available_size)),
      observe.heapPhysical(bySpace((space) => space.physical_space_size)),
      observe.heapLimit(getHeapStatistics().heap_size_limit),
    ];
  }

  return {
    read: (): Recorded[] => [
      ...delays(),
      ...loop(),
      recordedHistograms(collections),
      ...heap(),
      observe.resourcesActive(activeResources()),
      ...cpu(),
      observe.memoryUsage(process.memoryUsage.rss()),
      observe.uptime(process.uptime()),
    ],
    stop(): void {
      stopDelays();
      observer.disconnect();
    },
  };
}

function createObservations() {
  const space = "v8js.heap.space.name";
  return {
    delayMin: observeOne(METRICS.loopDelayMin),
    delayMax: observeOne(METRICS.loopDelayMax),
    delayMean: observeOne(METRICS.loopDelayMean),
    delayStddev: observeOne(METRICS.loopDelayStddev),
    delayP50: observeOne(METRICS.loopDelayP50),
    delayP90: observeOne(METRICS.loopDelayP90),
    delayP99: observeOne(METRICS.loopDelayP99),
    loopUtilization: observeOne(METRICS.loopUtilization),
    loopTime: observeMany(METRICS.loopTime, "nodejs.eventloop.state"),
    heapUsed: observeMany(METRICS.heapUsed, space),
    heapSize: observeMany(METRICS.heapSize, space),
    heapAvailable: observeMany(METRICS.heapAvailable, space),
    heapPhysical: observeMany(METRICS.heapPhysical, space),
    heapLimit: observeOne(METRICS.heapLimit),
    resourcesActive: observeMany(METRICS.resourcesActive, "v8js.resource.type"),
    cpuTime: observeMany(METRICS.cpuTime, "cpu.mode"),
    cpuUtilization: observeMany(METRICS.cpuUtilization, "cpu.mode"),
    memoryUsage: observeOne(METRICS.memoryUsage),
    uptime: observeOne(METRICS.uptime),
  };
}

function activeResources(): Iterable<readonly [string, number]> {
  const byType = new Map<string, number>();
  for (const type of process.getActiveResourcesInfo()) byType.set(type, (byType.get(type) ?? 0) + 1);
  return byType;
}

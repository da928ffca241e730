import { METRICS } from "@telltale/core";
import type { Store } from "../store/open-store.js";
import type { ProcessNow, Steps } from "./answers.js";
import { increasesOf } from "./increases.js";
import { addUp, levelsOf, ratesOf, scale } from "./over-time.js";
import { readPoints, readSeries, type Series } from "./series.js";
import { emptySteps, stepsOf, type TimeWindow } from "./time-window.js";

/** Of other runtimes, what comes nearest. */
const HEAPS = [METRICS.heapUsed.name, "jvm.memory.used", "go.memory.used", "process.runtime.go.mem.heap_alloc"];
const CPU_TIMES = [METRICS.cpuTime.name, "jvm.cpu.time"];
const MEMORIES = [METRICS.memoryUsage.name];
const NAMES = [...HEAPS, ...CPU_TIMES, ...MEMORIES, METRICS.loopDelayP99.name, METRICS.loopUtilization.name];

const MAX_PROCESSES = 100;

/** Those that tell of themselves, by service and instance; the newest 100. */
export function readProcesses(store: Store, window: TimeWindow, service: string | undefined): ProcessNow[] {
  const processes = new Map<string, Series[]>();
  for (const series of readSeries(store, NAMES, service)) {
    const key = JSON.stringify([series.service, series.instance]);
    const known = processes.get(key);
    if (known !== undefined) known.push(series);
    else if (processes.size < MAX_PROCESSES) processes.set(key, [series]);
  }
  return [...processes]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, all]) => describe(store, window, all))
    .filter(isAlive);
}

function describe(store: Store, window: TimeWindow, all: readonly Series[]): ProcessNow {
  const [{ service, instance } = { service: "", instance: "" }] = all;
  // Java tells of its other memory under the same name.
  const pick = (names: readonly string[]): Series[] =>
    all.filter(({ name, attributes }) => names.includes(name) && attributes["jvm.memory.type"] !== "non_heap");
  const levels = (names: readonly string[], factor = 1): Steps => {
    const lines = pick(names).map((series) => levelsOf(readPoints(store, series, window), window, series.isDelta));
    return stepsOf(window, lines.length === 0 ? emptySteps(window) : scale(addUp(lines, window), factor));
  };
  const cpu = pick(CPU_TIMES).map((series) =>
    ratesOf(increasesOf(readPoints(store, series, window), series), window, ({ value }) => value),
  );
  return {
    service,
    instance,
    loopDelayP99Ms: levels([METRICS.loopDelayP99.name], 1000),
    loopUtilization: levels([METRICS.loopUtilization.name]),
    heapUsedBytes: levels(HEAPS),
    rssBytes: levels(MEMORIES),
    cpu: stepsOf(window, addUp(cpu, window)),
  };
}

/** In the window. */
function isAlive({ loopDelayP99Ms, loopUtilization, heapUsedBytes, rssBytes, cpu }: ProcessNow): boolean {
  const all = [loopDelayP99Ms, loopUtilization, heapUsedBytes, rssBytes, cpu];
  return all.some(({ values }) => values.some((value) => value !== null));
}

import { type EndpointResult, type LoadResult, METHOD, type Results, type StartupResult } from "../src/results.js";

const flat = (value: number) => ({ median: value, min: value, max: value });

export function loadResult(cpuRatio: number, allocatedRatio = 1): LoadResult {
  return {
    cpuUs: flat(cpuRatio * 80),
    cpuRatio: flat(cpuRatio),
    allocatedBytes: flat(allocatedRatio * 20_000),
    allocatedRatio: flat(allocatedRatio),
    gcShare: 0.05,
    idleMsPerSecond: 0.5,
    spansPerRequest: 2,
    rssMb: 100,
    heapAfterGcMb: 12,
  };
}

/** The bare app, whose servers by themselves are so far apart. */
export function bareResult(min: number, max: number): LoadResult {
  return { ...loadResult(1), cpuRatio: { median: 1, min, max } };
}

export function endpointResult(variants: Record<string, LoadResult>): EndpointResult {
  return { rounds: 4, requestsPerBlock: 100, variants };
}

export function startupResult(addedCpuMs: number, addedRssMb: number): StartupResult {
  return {
    ms: flat(200 + addedCpuMs),
    addedMs: addedCpuMs,
    cpuMs: 150 + addedCpuMs,
    addedCpuMs,
    rssMb: 80 + addedRssMb,
    addedRssMb,
    modules: 300,
  };
}

export function results(parts: Partial<Results>): Results {
  return {
    method: METHOD,
    when: "2026-01-01T00:00:00.000Z",
    node: "24.0.0",
    cpu: "a <CPU>",
    cores: 2,
    pinned: true,
    ...parts,
  };
}

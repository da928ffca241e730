import { type Endpoint, OptionError } from "./options.js";
import { SOAK_LIMIT_MB } from "./report.js";
import { METHOD, type Results } from "./results.js";
import { BARE } from "./variants.js";

/** How much worse than the reference a figure may be before it counts. Half of a bare request's CPU would be 0.5. */
export const TOLERANCE = { cpuRatio: 0.05, allocatedRatio: 0.1, startupCpuMs: 25, startupMb: 8 } as const;

export interface Verdict {
  /** How many figures could be compared. */
  readonly compared: number;
  /** One line per figure that got worse. */
  readonly regressions: readonly string[];
}

/** The reference from its file; throws an `OptionError` if it was measured in another way than a run of now. */
export function readReference(text: string): Results {
  const reference = JSON.parse(text) as Results;
  if (reference.method === METHOD) return reference;
  throw new OptionError(
    "--check: bench/reference.json was measured by another method, its figures cannot be compared with those of now; " +
      "npm run bench -- --keep makes a new one",
  );
}

/** Compares a run with the reference: ratios, for other machines have other figures. A noisy run widens what is allowed. */
export function checkResults(results: Results, reference: Results): Verdict {
  const regressions: string[] = [];
  let compared = 0;
  const compare = (what: string, now: number | undefined, before: number | undefined, allowed: number, digits = 2) => {
    if (now === undefined || before === undefined) return;
    compared++;
    if (now <= before + allowed) return;
    const [is, was, most] = [now, before, before + allowed].map((value) => value.toFixed(digits));
    regressions.push(`${what} is ${is}, was ${was} (at most ${most})`);
  };
  for (const endpoint of ["item", "multi"] as const) {
    const noise = noiseOf(results, endpoint);
    const before = reference.load?.[endpoint]?.variants ?? {};
    for (const [name, now] of Object.entries(results.load?.[endpoint]?.variants ?? {})) {
      const was = before[name];
      // One process is off by a share of its own CPU time: the more a variant uses, the more that is.
      const ofMachine = noise * (was?.cpuRatio.median ?? 1);
      // From the middle of its servers to the end of them.
      const ofProcesses = was === undefined ? 0 : (was.cpuRatio.max - was.cpuRatio.min) / 2;
      const cpu = Math.max(TOLERANCE.cpuRatio, ofMachine, ofProcesses);
      compare(`${name}, ${endpoint}: CPU × bare`, now.cpuRatio.median, was?.cpuRatio.median, cpu);
      const allocated = [now.allocatedRatio.median, was?.allocatedRatio.median] as const;
      compare(`${name}, ${endpoint}: allocated bytes × bare`, ...allocated, TOLERANCE.allocatedRatio);
    }
  }
  for (const [name, now] of Object.entries(results.startup ?? {})) {
    const was = reference.startup?.[name];
    compare(`${name}: start-up, ms of CPU added`, now.addedCpuMs, was?.addedCpuMs, TOLERANCE.startupCpuMs, 0);
    compare(`${name}: start-up, MB added`, now.addedRssMb, was?.addedRssMb, TOLERANCE.startupMb, 0);
  }
  compare("soak: MB per 500,000 requests", results.soak?.mbPer500k, SOAK_LIMIT_MB, 0);
  return { compared, regressions };
}

/** How far the bare servers of a run are apart, as a part of what they use. */
function noiseOf(results: Results, endpoint: Endpoint): number {
  const bare = results.load?.[endpoint]?.variants[BARE]?.cpuRatio;
  return bare === undefined ? 0 : bare.max - bare.min;
}

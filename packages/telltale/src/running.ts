import type { Telltale } from "./assemble.js";

// All copies of this code in a process know of each other's.
const key = Symbol.for("telltale.running");
const global = globalThis as { [key]?: Telltale };

/** The Telltale that runs in this process. */
export function running(): Telltale | undefined {
  return global[key];
}

export function setRunning(telltale: Telltale | undefined): void {
  if (telltale === undefined) delete global[key];
  else global[key] = telltale;
}

import type { SupportedModule } from "@telltale/core";
import { INSTRUMENTATIONS } from "./instrumentations.js";

/** The libraries that Telltale instruments, with their versions; for tools that build programs. Starts nothing. */
export function instrumentedLibraries(): readonly SupportedModule[] {
  return Object.values(INSTRUMENTATIONS).flatMap((create) => create({ packageName: undefined }, "").state.supports);
}

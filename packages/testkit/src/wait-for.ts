import { performance } from "node:perf_hooks";
import { startTimer } from "@telltale/core";

/** Resolves once `holds` does, looking every 10 ms; rejects after `timeoutMs` (default 10,000), naming what it waited for. */
export async function waitFor(holds: () => boolean, what: string | (() => string), timeoutMs = 10_000): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!holds()) {
    if (performance.now() > deadline) {
      throw new Error(`waited ${timeoutMs} ms for ${typeof what === "string" ? what : what()}`);
    }
    await new Promise((resolve) => startTimer(resolve, 10));
  }
}

import { writeSync } from "node:fs";
import type { SayLevel } from "@telltale/core";
import type { LogLevel } from "./config/options.js";

/** Writes one line to stderr, without touching `process.stderr`: to create that stream would change it for the app. */
export function writeLine(line: string): void {
  try {
    writeSync(2, `${line.replaceAll("\n", "\n  ")}\n`);
  } catch {
    // A closed or full stderr is nothing to fail for.
  }
}

/** The sink for Telltale's own lines at a level: `info` shows errors and news, `debug` everything. */
export function createSay(level: LogLevel): (of: SayLevel, line: string) => void {
  if (level === "silent") return () => {};
  return (of, line) => {
    if (of !== "debug" || level === "debug") writeLine(`telltale: ${line}`);
  };
}

import { readFileSync, writeFileSync } from "node:fs";
import { UsageError } from "../command.js";
import type { Baseline } from "./measure.js";

/** @throws UsageError where it is not what `record` writes. */
export function readBaseline(file: string): Baseline {
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    throw new UsageError(`${file} must be a file that telltale baseline record has written: ${messageOf(error)}`);
  }
  const { telltale, version, seconds, ...parts } = (content ?? {}) as Partial<Baseline>;
  if (telltale !== "baseline") throw new UsageError(`${file} is no file that telltale baseline record has written`);
  if (version !== 1)
    throw new UsageError(`${file} is of version ${JSON.stringify(version)}, and 1 can be read; record it again`);
  const isWhole = [parts.routes, parts.queries, parts.caches].every(
    (part) => typeof part === "object" && part !== null,
  );
  if (!isWhole || typeof seconds !== "number" || !(seconds > 0)) {
    throw new UsageError(`${file} has lost some of its parts: seconds, routes, queries or caches; record it again`);
  }
  return content as Baseline;
}

/** @throws UsageError where it cannot be written. */
export function writeBaseline(file: string, baseline: Baseline): void {
  try {
    writeFileSync(file, `${JSON.stringify(baseline, undefined, 2)}\n`);
  } catch (error) {
    throw new UsageError(`--out must be a file that can be written; ${file} cannot: ${messageOf(error)}`);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

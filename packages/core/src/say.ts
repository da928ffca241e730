import { limitOf } from "./self.js";

/** How important a line for the operator is: `error` and `info` are shown by default, `debug` on request. */
export type SayLevel = "error" | "info" | "debug";

let write: (level: SayLevel, line: string) => void = () => {};

/** Where Telltale's own lines go; the product sets it to stderr at the level the user chose. Silent until then. */
export function setSay(to: (level: SayLevel, line: string) => void): void {
  write = to;
}

/** Says one line to the operator. */
export function say(level: SayLevel, line: string): void {
  write(level, line);
}

/** An error with its stack, to be reported. */
export function textOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

const MAX_SAID = 1_000;
const said = new Set<string>();
const unsaid = limitOf("log.lines");

/** Says a line the first time only; at most 1,000 different ones in a process. */
export function sayOnce(level: SayLevel, line: string): void {
  if (said.has(line)) return;
  if (said.size >= MAX_SAID) {
    unsaid.total += 1;
    return;
  }
  said.add(line);
  write(level, line);
}

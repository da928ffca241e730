import { stripVTControlCharacters } from "node:util";
import { bar, dim, good, terminalWidth } from "./report/terminal.js";
import { formatSeconds } from "./report/units.js";

const live = process.stdout.isTTY === true;
const replaceLine = (text) => process.stdout.write(`\r\x1b[K${text}`);

/** Says what is going on while `work` runs, and how long it took: one line, rewritten on a terminal. */
export async function step(what, work) {
  if (live) replaceLine(`  ${dim("…")} ${what}`);
  const started = performance.now();
  try {
    const result = await work();
    const took = formatSeconds((performance.now() - started) / 1000);
    const line = `  ${good("✓")} ${what} ${dim(took)}`;
    if (live) replaceLine(`${line}\n`);
    else console.log(line);
    return result;
  } catch (error) {
    if (live) replaceLine("");
    throw error;
  }
}

/** A progress bar on a terminal; elsewhere a line every few seconds would say nothing new. */
export function showLoad({ elapsed, seconds, sent }) {
  if (!live) return;
  const share = Math.min(elapsed / seconds, 1);
  const line = `  ${bar(share, 24)} ${Math.min(elapsed, seconds).toFixed(0).padStart(2)} of ${seconds} s  ${sent} requests`;
  replaceLine(stripVTControlCharacters(line).length < terminalWidth() ? line : "");
}

export function endLoad() {
  if (live) replaceLine("");
}

import { bar, dim, good } from "./report/terminal.js";
import { formatSeconds } from "./report/units.js";

// The last line of a terminal shows what goes on; elsewhere only what is done is written.
const live = process.stdout.isTTY === true;
let status = "";

function showStatus(text) {
  if (!live) return;
  status = text;
  process.stdout.write(`\r\x1b[K${text}`);
}

/** Writes a line above the one that shows what goes on. */
export function say(line) {
  process.stdout.write(live ? `\r\x1b[K${line}\n${status}` : `${line}\n`);
}

/** Shows what goes on while `work` runs, then what was done and how long it took. */
export async function step(what, work) {
  showStatus(`  ${dim("…")} ${what}`);
  const started = performance.now();
  try {
    const result = await work();
    status = "";
    say(`  ${good("✓")} ${what}  ${dim(formatSeconds((performance.now() - started) / 1000))}`);
    return result;
  } catch (error) {
    showStatus("");
    throw error;
  }
}

export function showLoad({ elapsed, seconds, sent }) {
  const time = `${Math.min(elapsed, seconds).toFixed(0).padStart(2)} of ${seconds} s`;
  showStatus(`  ${bar(Math.min(elapsed / seconds, 1), 24)}  ${time}  ${sent} requests`);
}

export function endLoad() {
  showStatus("");
}

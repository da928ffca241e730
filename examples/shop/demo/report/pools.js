import { formatPercentile } from "./cells.js";
import { countAbove, histogramsBy } from "./histogram.js";
import { sumBy } from "./prometheus-text.js";
import { bad, warn } from "./terminal.js";
import { formatCount, formatPercent } from "./units.js";

const NAME = "db_client_connection";

const poolOf = (labels) => labels.db_client_connection_pool_name;
const usedOf = (labels) => (labels.db_client_connection_state === "used" ? poolOf(labels) : undefined);

/** The most that any of many scrapes shows of each pool; nothing else of them is kept. */
export class PoolPeaks {
  scrapes = 0;
  used = new Map();
  pending = new Map();

  add(samples) {
    this.scrapes++;
    raise(this.used, sumBy(samples, `${NAME}_count`, usedOf));
    raise(this.pending, sumBy(samples, `${NAME}_pending_requests`, poolOf));
  }
}

export function poolTable(samples, { used, pending }) {
  const limits = sumBy(samples, `${NAME}_limit`, poolOf);
  const waits = histogramsBy(samples, `${NAME}_wait_time_seconds`, poolOf);
  const uses = histogramsBy(samples, `${NAME}_use_time_seconds`, poolOf);
  const timeouts = sumBy(samples, `${NAME}_timeouts_total`, poolOf);
  return [...new Set([...limits.keys(), ...used.keys(), ...waits.keys()])].sort().flatMap((name) => {
    const wait = waits.get(name) ?? { count: 0, buckets: [] };
    const waited = countAbove(wait, 0.001) || 0;
    const [most, limit, queue] = [used.get(name) ?? 0, limits.get(name), pending.get(name) ?? 0];
    const full = most === limit ? bad : (text) => text;
    return [
      `  ${name}`,
      `    ${full(`${most} of ${limit ?? "?"} connections in use`)}, ${queue === 0 ? "nobody" : warn(`${queue} ${queue === 1 ? "caller" : "callers"}`)} waiting`,
      `    ${formatCount(wait.count)} checkouts, ${formatCount(waited)} waited more than 1 ms (${formatPercent(waited / wait.count)}),` +
        ` timed out: ${formatCount(timeouts.get(name) ?? 0)}`,
      `    wait  ${percentiles(wait)}`,
      `    held  ${percentiles(uses.get(name))}`,
    ];
  });
}

function raise(most, reading) {
  for (const [key, value] of reading) most.set(key, Math.max(most.get(key) ?? 0, value));
}

function percentiles(histogram = { buckets: [] }) {
  return [0.5, 0.95, 0.99].map((share) => `p${share * 100} ${formatPercentile(histogram, share)}`).join("   ");
}

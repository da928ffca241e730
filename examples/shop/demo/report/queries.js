import { formatPercentile } from "./cells.js";
import { histogramsBy } from "./histogram.js";
import { bar, dim, table, terminalWidth, truncate } from "./terminal.js";
import { formatCount, formatPercent, formatSeconds } from "./units.js";

const NAME = "db_client_operation_duration_seconds";
const MOST = 8;

export function queryTable(samples) {
  const shapeOf = ({ db_query_summary: summary, db_operation_name: operation, db_system_name: system }) =>
    JSON.stringify([summary ?? operation ?? "(other)", system]);
  const all = [...histogramsBy(samples, NAME, shapeOf)].sort(([, a], [, b]) => b.sum - a.sum);
  const total = all.reduce((sum, [, histogram]) => sum + histogram.sum, 0);
  if (total === 0) return [];
  const rows = all.slice(0, MOST).map(([key, histogram]) => {
    const [shape, system] = JSON.parse(key);
    return [
      truncate(shape, 30),
      system,
      formatCount(histogram.count),
      formatSeconds(histogram.sum / histogram.count),
      formatPercentile(histogram, 0.95),
      formatPercent(histogram.sum / total),
      bar(histogram.sum / total, terminalWidth() - 80),
    ];
  });
  const lines = table(
    [
      { title: "query", align: "left" },
      { title: "system", align: "left" },
      { title: "calls" },
      { title: "mean" },
      { title: "≈ p95" },
      { title: "share" },
      { title: "", align: "left" },
    ],
    rows,
  );
  const rest = all.slice(MOST);
  if (rest.length === 0) return lines;
  const share = rest.reduce((sum, [, histogram]) => sum + histogram.sum, 0) / total;
  return [...lines, dim(`  and ${rest.length} more with ${formatPercent(share)} together`)];
}

import { formatErrors, formatPercentile } from "./cells.js";
import { histogramsBy } from "./histogram.js";
import { sumBy } from "./prometheus-text.js";
import { bad, table, truncate, warn } from "./terminal.js";
import { formatCount, formatRate } from "./units.js";

const NAME = "http_server_request_duration_seconds";

export function requestTable(samples, seconds) {
  const routeOf = ({ http_request_method: method, http_route: route }) => `${method} ${route ?? "(no route)"}`;
  const statusCount = (firstDigit) =>
    sumBy(samples, `${NAME}_count`, (labels) =>
      labels.http_response_status_code?.startsWith(firstDigit) ? routeOf(labels) : undefined,
    );
  const [refused, failed] = [statusCount("4"), statusCount("5")];
  const rows = [...histogramsBy(samples, NAME, routeOf)]
    .sort(([a], [b]) => a.localeCompare(b))
    .map(([route, histogram]) => [
      truncate(route, 30),
      formatCount(histogram.count),
      formatRate(histogram.count / seconds),
      formatPercentile(histogram, 0.5),
      formatPercentile(histogram, 0.95),
      formatPercentile(histogram, 0.99),
      formatErrors(refused.get(route), warn),
      formatErrors(failed.get(route), bad),
    ]);
  if (rows.length === 0) return [];
  return table(
    [
      { title: "route", align: "left" },
      { title: "requests" },
      { title: "per s" },
      { title: "≈ p50" },
      { title: "≈ p95" },
      { title: "≈ p99" },
      { title: "4xx" },
      { title: "5xx" },
    ],
    rows,
  );
}

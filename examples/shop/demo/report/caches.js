import { formatErrors } from "./cells.js";
import { sumBy } from "./prometheus-text.js";
import { bad, bar, table, truncate } from "./terminal.js";
import { formatCount, formatPercent } from "./units.js";

const NAME = "telltale_cache_lookups_total";

export function cacheTable(samples) {
  const resultsOf = (result) =>
    sumBy(samples, NAME, (labels) =>
      labels.telltale_cache_result === result ? labels.telltale_cache_name : undefined,
    );
  const [hits, misses, errors] = ["hit", "miss", "error"].map(resultsOf);
  const names = [...sumBy(samples, NAME, (labels) => labels.telltale_cache_name).keys()].sort();
  if (names.length === 0) return [];
  const rows = names.map((name) => {
    const [hit, miss, error] = [hits, misses, errors].map((counts) => counts.get(name) ?? 0);
    const ratio = hit / (hit + miss);
    return [
      truncate(name, 30),
      formatCount(hit + miss),
      formatCount(hit),
      formatCount(miss),
      formatErrors(error, bad),
      formatPercent(ratio),
      Number.isNaN(ratio) ? "" : bar(ratio, 20),
    ];
  });
  return table(
    [
      { title: "cache", align: "left" },
      { title: "lookups" },
      { title: "hits" },
      { title: "misses" },
      { title: "errors" },
      { title: "hit ratio" },
      { title: "", align: "left" },
    ],
    rows,
  );
}

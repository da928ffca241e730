/** Histograms of one name, added up by `keyOf(labels)`: key → { count, sum, buckets: [{ le, count }] }, counts cumulative. */
export function histogramsBy(samples, name, keyOf) {
  const histograms = new Map();
  for (const sample of samples) {
    if (!sample.name.startsWith(name)) continue;
    const part = sample.name.slice(name.length);
    if (part !== "_bucket" && part !== "_sum" && part !== "_count") continue;
    const key = keyOf(sample.labels);
    const histogram = histograms.get(key) ?? { count: 0, sum: 0, byBound: new Map() };
    histograms.set(key, histogram);
    if (part === "_sum") histogram.sum += sample.value;
    else if (part === "_count") histogram.count += sample.value;
    else {
      const le = sample.labels.le === "+Inf" ? Infinity : Number(sample.labels.le);
      histogram.byBound.set(le, (histogram.byBound.get(le) ?? 0) + sample.value);
    }
  }
  return new Map(
    [...histograms].map(([key, { count, sum, byBound }]) => [key, { count, sum, buckets: sorted(byBound) }]),
  );
}

function sorted(byBound) {
  return [...byBound].map(([le, count]) => ({ le, count })).sort((a, b) => a.le - b.le);
}

/**
 * The value below which a share of the observations lies, as Prometheus's `histogram_quantile` estimates it: evenly spread
 * within a bucket, from 0 in the first, and never above the last finite bound. NaN when there are none.
 */
export function percentile({ buckets }, share) {
  const total = buckets.at(-1)?.count ?? 0;
  if (total === 0) return NaN;
  const rank = share * total;
  const index = buckets.findIndex((bucket) => bucket.count >= rank && bucket.count > 0);
  const below = index === 0 ? { le: 0, count: 0 } : buckets[index - 1];
  const { le, count } = buckets[index];
  if (le === Infinity) return below.le;
  return below.le + ((le - below.le) * (rank - below.count)) / (count - below.count);
}

/** How many observations were above a bound that is one of the histogram's own. */
export function countAbove({ buckets, count }, bound) {
  const bucket = buckets.find(({ le }) => le === bound);
  return bucket === undefined ? NaN : count - bucket.count;
}

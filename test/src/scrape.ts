/** A page of Prometheus: values by series, as they stand on the page. */
export type Scraped = ReadonlyMap<string, number>;

/** Reads a page; undefined where nobody serves one. */
export async function tryScrape(url: string): Promise<Scraped | undefined> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(5_000), headers: { connection: "close" } });
    return response.ok ? parse(await response.text()) : undefined;
  } catch {
    return undefined;
  }
}

export async function scrape(url: string): Promise<Scraped> {
  const page = await tryScrape(url);
  if (page === undefined) throw new Error(`no metrics at ${url}`);
  return page;
}

/** A page on which so many processes of the fixture are, once they have found the one that serves. */
export async function scrapeOf(processes: number, url: string): Promise<Scraped> {
  const untilMs = performance.now() + 10_000;
  for (;;) {
    const page = await tryScrape(url);
    const found = page === undefined ? 0 : seriesOf(page, "pid").length;
    if (page !== undefined && found === processes) return page;
    if (performance.now() > untilMs) throw new Error(`found ${found} processes of ${processes} at ${url}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function parse(text: string): Scraped {
  const values = new Map<string, number>();
  for (const line of text.split("\n")) {
    if (line === "" || line.startsWith("#")) continue;
    const space = line.lastIndexOf(" ");
    const series = line.slice(0, space);
    if (values.has(series)) throw new Error(`${series} comes twice`);
    values.set(series, Number(line.slice(space + 1).replace("Inf", "Infinity")));
  }
  return values;
}

/** The sum of the series of a name whose labels contain all of these texts. */
export function sumOf(page: Scraped, name: string, ...labels: string[]): number {
  return seriesOf(page, name, ...labels).reduce((sum, [, value]) => sum + value, 0);
}

export function seriesOf(page: Scraped, name: string, ...labels: string[]): [string, number][] {
  return [...page].filter(
    ([series]) => (series === name || series.startsWith(`${name}{`)) && labels.every((label) => series.includes(label)),
  );
}

/** Counters, and the parts of histograms, that are less than they were, or gone. */
export function fallen(before: Scraped, after: Scraped): string[] {
  const counts = [...before].filter(([series]) => /^[a-z0-9_]+_(total|count|sum|bucket)(\{|$)/.test(series));
  return counts
    .filter(([series, value]) => !((after.get(series) ?? Number.NaN) >= value))
    .map(([series, value]) => `${series} was ${value}, is ${after.get(series)}`);
}

import { setTimeout as sleep } from "node:timers/promises";
import { parsePrometheusText } from "./report/prometheus-text.js";

async function scrape(url) {
  const response = await fetch(url).catch((error) => {
    throw new Error(`cannot read ${url}: ${error.cause?.message ?? error.message}`);
  });
  if (!response.ok) throw new Error(`${url} answered ${response.status}`);
  return parsePrometheusText(await response.text());
}

/**
 * Reads the page every `everyMs` while `work` runs, as Prometheus would, and once more at its end. `onScrape` gets the samples of each page;
 * what is returned are the last ones, and what `work` returned.
 */
export async function scrapeDuring(url, everyMs, work, onScrape) {
  const ended = new AbortController();
  const reading = (async () => {
    while (!ended.signal.aborted) {
      onScrape(await scrape(url));
      await sleep(everyMs, undefined, { signal: ended.signal }).catch(() => {});
    }
  })();
  let result;
  try {
    // Fails with the reading, too: a load without its figures is worth nothing.
    result = await Promise.race([work(), reading.then(() => new Promise(() => {}))]);
  } finally {
    ended.abort();
  }
  await reading;
  // The last requests have been answered; their ends may be recorded a moment later.
  await sleep(200);
  const samples = await scrape(url);
  onScrape(samples);
  return { result, samples };
}

import { get } from "node:http";
import { parseArgs } from "node:util";
import { gunzipSync } from "node:zlib";
import { driveLoad } from "shop/demo/load.js";
import { seedShop, startShop } from "shop/demo/shop-process.js";
import { freePort, startPostgres, startRedis } from "@telltale/test/servers";
import { startOtlpReceiver } from "@telltale/testkit";
import { countSeries, project } from "./figures.js";

// What one process makes of its traffic, measured: the shop under the load of its demo, once with OTLP as it is and once with
// gzip. The README's arithmetic is made of these figures.

const SCALES = [10, 100, 10_000];
const REQUESTS_PER_SECOND = 100;
const SCRAPE_SECONDS = 15;
/** Metrics of so many series have a line of their own. */
const MANY = 8;

const { values } = parseArgs({
  options: { seconds: { type: "string", default: "20" }, json: { type: "boolean", default: false } },
});
const seconds = Number(values.seconds);
if (!(seconds >= 1)) throw new Error(`--seconds must be a number from 1 on, got ${values.seconds}`);

const { signal } = new AbortController();
await using running = new AsyncDisposableStack();
const postgres = await startPostgres();
running.defer(() => postgres.stop());
const redis = await startRedis();
running.defer(() => redis.stop());
await seedShop({ databaseUrl: postgres.url, signal });

const plain = await visitShop("none");
const gzip = await visitShop("gzip");
const figures = {
  requests: plain.requests,
  series: plain.series.reduce((sum, [, count]) => sum + count, 0),
  exemplars: plain.exemplars,
  pageBytes: plain.pageBytes,
  pageBytesGzip: plain.pageBytesGzip,
  spansPerRequest: plain.spans / plain.requests,
  spanBytes: plain.otlpBytes / plain.spans,
  spanBytesGzip: gzip.otlpBytes / gzip.spans,
  spansPerExport: plain.spans / plain.exports,
  seriesByMetric: Object.fromEntries(plain.series),
};
if (values.json) console.log(JSON.stringify(figures));
else printFigures();

/** A fresh shop, visited; what it exported, all of it. */
async function visitShop(compression) {
  const receiver = await startOtlpReceiver();
  const metricsPort = await freePort();
  const shop = await startShop({
    signal,
    onFinding: () => {},
    onLine: () => {},
    env: {
      DATABASE_URL: postgres.url,
      REDIS_URL: redis.url,
      PORT: "0",
      NODE_OPTIONS: "",
      OTEL_SERVICE_NAME: "shop",
      OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
      OTEL_EXPORTER_OTLP_COMPRESSION: compression,
      OTEL_EXPORTER_PROMETHEUS_PORT: String(metricsPort),
    },
  });
  try {
    const { sent, unanswered } = await driveLoad({ url: shop.url, seconds, signal, onProgress: () => {} });
    if (unanswered > 0) throw new Error(`${unanswered} of ${sent} requests were not answered`);
    const page = await scrape(metricsPort);
    // Stopping it flushes the last batch: every request's span must have arrived.
    await shop.stop();
    const served = receiver.spans.filter(({ kind }) => kind === "server").length;
    if (served !== sent) throw new Error(`${sent} requests were sent, ${served} server spans arrived`);
    const exports = receiver.requests.filter(({ path }) => path === "/v1/traces");
    return {
      requests: sent,
      spans: receiver.spans.length,
      exports: exports.length,
      otlpBytes: exports.reduce((sum, { bytes }) => sum + bytes, 0),
      ...page,
    };
  } finally {
    await shop.stop();
    await receiver.close();
  }
}

/** The page as Prometheus asks for it: OpenMetrics, compressed. */
async function scrape(port) {
  const body = await new Promise((resolve, reject) => {
    const headers = { accept: "application/openmetrics-text;version=1.0.0", "accept-encoding": "gzip" };
    get({ host: "127.0.0.1", port, path: "/metrics", headers }, (response) => {
      const chunks = [];
      response.on("data", (chunk) => chunks.push(chunk)).on("error", reject);
      response.on("end", () => resolve({ bytes: Buffer.concat(chunks), coding: response.headers["content-encoding"] }));
    }).on("error", reject);
  });
  const content = body.coding === "gzip" ? gunzipSync(body.bytes) : body.bytes;
  const text = content.toString();
  return {
    series: countSeries(text),
    exemplars: text.match(/ # \{/g)?.length ?? 0,
    pageBytes: content.length,
    pageBytesGzip: body.bytes.length,
  };
}

function printFigures() {
  const { format } = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });
  const row = (...cells) => console.log(`| ${cells.join(" | ")} |`);
  const rule = (cells) => row(...Array.from({ length: cells }, (_, index) => (index === 0 ? "---" : "---:")));

  row("one process", `${seconds} s, ${figures.requests} requests`);
  rule(2);
  row("series", figures.series);
  row("page", `${figures.pageBytes} bytes`);
  row("page, gzip", `${figures.pageBytesGzip} bytes`);
  row("spans per request", figures.spansPerRequest.toFixed(2));
  row("OTLP per span", `${figures.spanBytes.toFixed(1)} bytes`);
  row("OTLP per span, gzip", `${figures.spanBytesGzip.toFixed(1)} bytes`);
  row("spans per export", Math.round(figures.spansPerExport));

  console.log("\n");
  row("metric", "series");
  rule(2);
  const metrics = Object.entries(figures.seriesByMetric);
  const [many, few] = [metrics.filter(([, count]) => count >= MANY), metrics.filter(([, count]) => count < MANY)];
  for (const [metric, count] of many) row(`\`${metric}\``, count);
  row(
    `${few.length} others`,
    few.reduce((sum, [, count]) => sum + count, 0),
  );

  console.log(`\n\n${REQUESTS_PER_SECOND} requests/s each, scraped every ${SCRAPE_SECONDS} s:\n`);
  const given = { requestsPerSecond: REQUESTS_PER_SECOND, scrapeSeconds: SCRAPE_SECONDS };
  const columns = SCALES.map((processes) => project(figures, { ...given, processes }));
  row("processes", ...SCALES.map(format));
  rule(SCALES.length + 1);
  for (const name of Object.keys(columns[0])) row(name, ...columns.map((column) => format(column[name])));
}

import { findServer, startPostgres, startRedis } from "@telltale/test/servers";
import { startOtlpReceiver } from "@telltale/testkit";
import { driveLoad } from "./load.js";
import { choosePort } from "./ports.js";
import { endLoad, showLoad, step } from "./progress.js";
import { writeCheck, writeReport } from "./report/report.js";
import { bold, dim } from "./report/terminal.js";
import { scrapeDuring } from "./scrape.js";
import { rejectOn, seedShop, startShop } from "./shop-process.js";

const LOAD_SECONDS = 10;
const once = process.argv.includes("--once");
const stop = new AbortController();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, stopAll);

try {
  await runDemo(stop.signal);
} catch (error) {
  // Stopped before there was a report: nothing went wrong, but it is no success either.
  if (!stop.signal.aborted) console.error(`\n${error.message}`);
  process.exitCode = stop.signal.aborted ? 130 : 1;
}

function stopAll() {
  stop.abort(new Error("stopped"));
  // Should a server refuse to go: it goes with this process.
  setTimeout(() => process.exit(1), 10_000).unref();
}

async function runDemo(signal) {
  await using running = new AsyncDisposableStack();
  /** Whatever was started is stopped in the end, also when the end comes while it still starts. */
  const start = (starting) => {
    running.defer(() =>
      starting.then(
        (started) => started.stop(),
        () => {},
      ),
    );
    return Promise.race([starting, rejectOn(signal)]);
  };

  console.log(`\n${bold("Telltale demo")}  ${dim("a shop that knows nothing of Telltale, preloaded with it")}\n`);
  // Says so itself when it has to install something.
  await Promise.race([findServer("redis"), rejectOn(signal)]);
  const [postgres, redis] = await step("PostgreSQL and Redis are up", () =>
    Promise.all([start(startPostgres()), start(startRedis())]),
  );
  await step("20,000 products, 2,000 customers and 20,000 orders are seeded", () =>
    seedShop({ databaseUrl: postgres.url, signal }),
  );

  const theirs = process.env.OTEL_EXPORTER_OTLP_ENDPOINT;
  const receiver = theirs ? undefined : await start(startOtlpReceiver());
  const port = await choosePort("PORT", 3000);
  const metricsPort = await choosePort("OTEL_EXPORTER_PROMETHEUS_PORT", 9464);
  const metricsUrl = `http://127.0.0.1:${metricsPort}/metrics`;
  const findings = [];
  const shop = await step("the shop is up: node --require telltale/register src/server.js", () =>
    start(
      startShop({
        signal,
        onFinding: (finding) => findings.push(finding),
        onLine: (line) => console.error(dim(`    ${line}`)),
        env: {
          DATABASE_URL: postgres.url,
          REDIS_URL: redis.url,
          PORT: String(port),
          OTEL_SERVICE_NAME: process.env.OTEL_SERVICE_NAME ?? "shop",
          OTEL_EXPORTER_OTLP_ENDPOINT: theirs || receiver.url,
          OTEL_EXPORTER_PROMETHEUS_PORT: String(metricsPort),
          TELLTALE_FINDINGS_LOG: "true",
        },
      }),
    ),
  );

  const { result: load, scrapes } = await scrapeDuring(metricsUrl, 500, () =>
    Promise.race([
      driveLoad({ url: shop.url, seconds: LOAD_SECONDS, signal, onProgress: showLoad }),
      shop.exited.then((code) => {
        throw new Error(`the shop ended with ${code} during the load`);
      }),
    ]),
  ).finally(endLoad);

  console.log(writeReport({ scrapes, findings, seconds: load.elapsed }).join("\n"));
  console.log(`\n${writeCheck(scrapes.at(-1), load.sent)}`);

  if (once) return;
  console.log(`
  Metrics  ${bold(metricsUrl)}
  Shop     ${bold(shop.url)}  ${dim(`for example: curl ${shop.url}/orders`)}
  Traces   ${theirs ? bold(theirs) : `${dim("received by this demo; set OTEL_EXPORTER_OTLP_ENDPOINT to see them in Jaeger or Grafana Tempo")}`}

  Ctrl-C stops everything.`);
  const code = await Promise.race([shop.exited, rejectOn(signal)]).catch(() => undefined);
  if (!signal.aborted) throw new Error(`the shop ended with ${code}`);
}

import { parseArgs } from "node:util";
import { findServer, startPostgres, startRedis } from "@telltale/test/servers";
import { startOtlpReceiver } from "@telltale/testkit";
import { startViewer } from "@telltale/viewer";
import { driveLoad } from "./load.js";
import { choosePort } from "./ports.js";
import { endLoad, say, showLoad, step } from "./progress.js";
import { summarizeFinding } from "./report/findings.js";
import { PoolPeaks } from "./report/pools.js";
import { writeChecks, writeReport } from "./report/report.js";
import { bold, dim, terminalWidth, wrap } from "./report/terminal.js";
import { scrapeDuring } from "./scrape.js";
import { rejectOn, seedShop, startShop } from "./shop-process.js";

const HELP = `npm run demo -- [options]

  --once           ends by itself after the report
  --seconds=<n>    how long the shop is visited; default 10

Ports, other servers and what there is to see: examples/shop/README.md`;

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"];
const stop = new AbortController();
for (const name of SIGNALS) process.on(name, stopAll);

try {
  const { help, ...given } = readArguments();
  await using running = new AsyncDisposableStack();
  if (help) console.log(HELP);
  else await runDemo({ ...given, start: createStart(running) });
} catch (error) {
  if (stop.signal.aborted) dieOf(stop.signal.reason.message);
  else console.error(`\n${error.message}`);
  process.exitCode = 1;
}
// Everything has stopped; what may still wait for something (a poll, an idle socket) would wait in vain.
process.exit();

/** Stopped before there was a report: whoever started the demo sees that it was the signal. */
function dieOf(signal) {
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
}

function readArguments() {
  const { values } = parseArgs({
    options: {
      help: { type: "boolean", short: "h", default: false },
      once: { type: "boolean", default: false },
      seconds: { type: "string", default: "10" },
    },
  });
  const seconds = Number(values.seconds);
  if (!(seconds >= 1)) throw new Error(`--seconds must be a number from 1 on, got ${values.seconds}`);
  return { help: values.help, once: values.once, seconds };
}

function stopAll(signal) {
  stop.abort(new Error(signal));
  // Should something refuse to stop: the servers go with this process.
  setTimeout(() => process.exit(1), 10_000).unref();
}

/** Whatever is started with it is stopped in the end, also when the end comes while it still starts. */
function createStart(running) {
  return (starting, stopIt = (started) => started.stop()) => {
    running.defer(() => starting.then(stopIt, () => {}));
    return Promise.race([starting, rejectOn(stop.signal)]);
  };
}

async function runDemo({ once, seconds, start }) {
  console.log(`\n${bold("Telltale demo")}  ${dim("a shop that knows nothing of Telltale, preloaded with it")}\n`);
  const port = await choosePort("PORT", 3000);
  const metricsPort = await choosePort("OTEL_EXPORTER_PROMETHEUS_PORT", 9464);
  const servers = await startServers(start);
  const theirs = process.env.OTEL_EXPORTER_OTLP_ENDPOINT;
  // Nobody looks at what ends at once. It is sent to by the receiver alone, and leaves the usual port to others.
  const viewer =
    theirs || once
      ? undefined
      : await start(startViewer({ otlpPort: 0, takesOtherPorts: true }), (viewer) => viewer.close());
  const forwardTo = viewer && { forwardTo: viewer.otlpUrl };
  const receiver = theirs ? undefined : await start(startOtlpReceiver(forwardTo), (receiver) => receiver.close());
  const endpoint = theirs || receiver.url;
  const metricsUrl = `http://127.0.0.1:${metricsPort}/metrics`;
  const findings = [];
  let onFinding = (finding) => findings.push(finding);
  const shop = await step("the shop is up: node --require telltale/register src/server.js", () =>
    start(
      startShop({
        signal: stop.signal,
        onFinding: (finding) => onFinding(finding),
        onLine: showLine,
        env: {
          DATABASE_URL: servers.postgres.url,
          REDIS_URL: servers.redis.url,
          PORT: String(port),
          OTEL_SERVICE_NAME: process.env.OTEL_SERVICE_NAME || "shop",
          OTEL_EXPORTER_OTLP_ENDPOINT: endpoint,
          // Nobody wants to wait five seconds for the last spans.
          OTEL_BSP_SCHEDULE_DELAY: process.env.OTEL_BSP_SCHEDULE_DELAY || "500",
          ...(viewer && forViewer(process.env)),
          OTEL_EXPORTER_PROMETHEUS_PORT: String(metricsPort),
          TELLTALE_FINDINGS_LOG: "true",
        },
      }),
    ),
  );

  const pools = new PoolPeaks();
  const { result: load, samples } = await scrapeDuring(
    metricsUrl,
    250,
    () => visit(shop, seconds),
    (page) => pools.add(page),
  );
  const arrived = receiver?.waitForSpans((spans) => countServerSpans(spans) >= load.sent, 5_000).catch(() => {});
  await Promise.race([arrived, rejectOn(stop.signal)]);
  const spans = receiver?.spans;
  say(writeReport({ samples, pools, findings, spans, seconds: load.elapsed }).join("\n"));
  say("");
  for (const line of writeChecks({ samples, spans, ...load })) say(line);
  if (once) return;

  onFinding = (finding) => say(summarizeFinding(finding));
  say(`
${viewer ? `  Viewer   ${bold(viewer.url)}  ${dim("all of it, in a browser")}\n` : ""}  Metrics  ${bold(metricsUrl)}
  Shop     ${bold(shop.url)}  ${dim(`try curl ${shop.url}/orders`)}
  Traces   ${bold(endpoint)}  ${dim(theirs ? "" : "received by this demo")}

  New findings appear here, each at most once a minute. Ctrl-C stops everything.
`);
  const code = await Promise.race([shop.exited, rejectOn(stop.signal)]).catch(() => undefined);
  if (!stop.signal.aborted) throw new Error(`the shop ended with ${code}`);
  say("");
}

/** Beside traces, which are sent without being asked for. */
function forViewer(env) {
  return {
    OTEL_METRICS_EXPORTER: env.OTEL_METRICS_EXPORTER || "prometheus,otlp",
    OTEL_METRIC_EXPORT_INTERVAL: env.OTEL_METRIC_EXPORT_INTERVAL || "1000",
    OTEL_LOGS_EXPORTER: env.OTEL_LOGS_EXPORTER || "otlp",
    OTEL_BLRP_SCHEDULE_DELAY: env.OTEL_BLRP_SCHEDULE_DELAY || "500",
    // The viewer is to say how often a finding came, as the report does.
    TELLTALE_FINDING_EVENTS_MS: env.TELLTALE_FINDING_EVENTS_MS || "1000",
  };
}

/** What the shop says; while it is being stopped it complains about visitors who left. */
function showLine(line) {
  if (stop.signal.aborted) return;
  for (const part of wrap(line, terminalWidth() - 6)) say(dim(`    ${part}`));
}

async function startServers(start) {
  // Says so itself when it has to install something.
  await Promise.race([findServer("redis"), rejectOn(stop.signal)]);
  const [postgres, redis] = await step("PostgreSQL and Redis are up", () =>
    Promise.all([start(startPostgres()), start(startRedis())]),
  );
  await step("20,000 products, 2,000 customers and 20,000 orders are seeded", () =>
    seedShop({ databaseUrl: postgres.url, signal: stop.signal }),
  );
  return { postgres, redis };
}

async function visit(shop, seconds) {
  const ended = shop.exited.then((code) => {
    throw new Error(`the shop ended with ${code} during the load`);
  });
  try {
    return await Promise.race([
      driveLoad({ url: shop.url, seconds, signal: stop.signal, onProgress: showLoad }),
      ended,
    ]);
  } finally {
    endLoad();
  }
}

function countServerSpans(spans) {
  return spans.filter(({ kind }) => kind === "server").length;
}

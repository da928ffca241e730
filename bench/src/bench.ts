import { mkdir, readFile, writeFile } from "node:fs/promises";
import { availableParallelism, cpus } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { prepareSurroundings, prepareVariants } from "./app-server.js";
import { drawChart } from "./chart.js";
import { checkResults, readReference, TOLERANCE } from "./check.js";
import { compareUnderLoad } from "./compare.js";
import { isInstalled } from "./cores.js";
import { HELP, OptionError, type Endpoint, type Options, parseOptions } from "./options.js";
import { prepareMachine } from "./processes.js";
import { createProgress, type Progress } from "./progress.js";
import { SOAK_LIMIT_MB, writeReport } from "./report.js";
import { type EndpointResult, METHOD, type Results } from "./results.js";
import { measureScrape } from "./scrape/scrape.js";
import { soak } from "./soak.js";
import { measureStartup } from "./startup.js";
import { copiesOf } from "./variants.js";

const folder = fileURLToPath(new URL("..", import.meta.url));
const REFERENCE = join(folder, "reference.json");

async function main(ending: AsyncDisposableStack): Promise<number> {
  const options = parseOptions(process.argv.slice(2));
  if (options.help) {
    console.log(HELP);
    return 0;
  }
  const reference = options.check ? readReference(await readFile(REFERENCE, "utf8")) : undefined;
  const progress = createProgress();
  const results = await measure(options, progress, ending);
  progress.step("");
  if (results === undefined) return 0;
  console.log(`\n${writeReport(results).join("\n")}\n`);
  await save(results, options);
  if (reference !== undefined) return judge(results, reference);
  return (results.soak?.mbPer500k ?? 0) > SOAK_LIMIT_MB ? 1 : 0;
}

async function measure(
  options: Options,
  progress: Progress,
  ending: AsyncDisposableStack,
): Promise<Results | undefined> {
  const { parts } = options;
  const needsApp = parts.has("load") || parts.has("startup") || parts.has("soak");
  const variants =
    needsApp || parts.has("peers")
      ? await prepareVariants(options.variants, isInstalled("openssl"), progress.line, ending)
      : [];
  if (parts.has("peers")) return undefined;
  const cores = availableParallelism(); // of all, not of those that are left for this process
  const machine = prepareMachine(ending);
  const about = {
    method: METHOD,
    when: new Date().toISOString(),
    node: process.versions.node,
    cpu: cpus()[0]?.model ?? "unknown",
    cores,
    pinned: machine.cores !== undefined,
  };
  const scrape = parts.has("scrape") ? await measureScrape(machine, progress.step) : undefined;
  if (!needsApp) return { ...about, ...(scrape && { scrape }) };

  progress.step("starting PostgreSQL, Redis and the sink");
  const needsTls = variants.some((variant) => variant.needsTls === true);
  const servers = variants.reduce((sum, variant) => sum + copiesOf(variant, options.servers), 0);
  const around = await prepareSurroundings(machine, servers, needsTls, ending);
  const load: Partial<Record<Endpoint, EndpointResult>> = {};
  for (const endpoint of parts.has("load") ? options.endpoints : []) {
    load[endpoint] = await compareUnderLoad(around, variants, endpoint, options, progress.step);
  }
  const startup = parts.has("startup")
    ? await measureStartup(around, variants, options.startupRounds, progress.step)
    : undefined;
  const [bare, soaked] = ["bare", "telltale"].map((wanted) => variants.find(({ name }) => name === wanted));
  const soakResult =
    parts.has("soak") && bare !== undefined && soaked !== undefined
      ? await soak(around, bare, soaked, options.soakRequests, progress.step)
      : undefined;
  return {
    ...about,
    ...(parts.has("load") && { load }),
    ...(startup && { startup }),
    ...(soakResult && { soak: soakResult }),
    ...(scrape && { scrape }),
  };
}

async function save(results: Results, { json, keep }: Options): Promise<void> {
  const text = `${JSON.stringify(results, undefined, 2)}\n`;
  const chart = drawChart(results);
  const kept = join(folder, "results", results.when.replaceAll(/[:.]/g, "-"));
  const files: [file: string, text: string][] = [[`${kept}.json`, text]];
  if (chart !== "") files.push([`${kept}.svg`, chart]);
  if (json !== undefined) files.push([json, text]);
  if (keep) files.push([REFERENCE, text], [join(folder, "chart.svg"), chart]);
  for (const [file, text] of files) {
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, text);
    console.log(`written: ${file}`);
  }
}

function judge(results: Results, reference: Results): number {
  const { compared, regressions } = checkResults(results, reference);
  console.log(
    `\n${compared} figures compared with ${REFERENCE}; allowed: CPU +${TOLERANCE.cpuRatio} × bare, ` +
      `or more where servers of one variant are apart; allocation +${TOLERANCE.allocatedRatio}, ` +
      `start-up +${TOLERANCE.startupCpuMs} ms of CPU and +${TOLERANCE.startupMb} MB`,
  );
  for (const line of regressions) console.log(`worse: ${line}`);
  if (compared === 0) console.log("worse: nothing could be compared");
  return regressions.length > 0 || compared === 0 ? 1 : 0;
}

// What the signal interrupts fails because its processes are gone; that is nothing to tell.
let interrupted = false;
const ending = new AsyncDisposableStack();
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => {
    interrupted = true;
    void ending.disposeAsync().finally(() => process.exit(signal === "SIGINT" ? 130 : 143));
  });
}
try {
  process.exitCode = await main(ending);
} catch (error) {
  if (!interrupted) {
    console.error(error instanceof OptionError ? error.message : error);
    process.exitCode = error instanceof OptionError ? 2 : 1;
  }
} finally {
  await ending.disposeAsync();
}

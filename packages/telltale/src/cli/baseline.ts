import { parseArgs } from "node:util";
import { url as expectUrl } from "../config/schema.js";
import { compare, DEFAULT_TOLERANCES, type Tolerances } from "./baseline/compare.js";
import { readBaseline, writeBaseline } from "./baseline/file.js";
import { lookAtPrometheus, lookAtService } from "./baseline/look.js";
import { type Baseline, measure } from "./baseline/measure.js";
import { describeBaseline, describeComparison } from "./baseline/table.js";
import { type Command, UsageError } from "./command.js";
import { DEFAULT_PORT } from "./report/fetch-page.js";

const FILE = "telltale.baseline.json";
const URL_OF_METRICS = `http://127.0.0.1:${DEFAULT_PORT}/metrics`;

const HELP = `telltale baseline record                   writes how a service does under load
telltale baseline compare [now.json]       compares a later look, or file; exits with 1 where something became worse

Where to look:
  --url <url>            the metrics of a running service, read twice: ${URL_OF_METRICS},
                         127.0.0.1:9464 or 9464; default port: OTEL_EXPORTER_PROMETHEUS_PORT, or ${DEFAULT_PORT}
  --prometheus <url>     or a Prometheus that has them stored, with a scrape interval of at most a third of the look
  --select <matchers>    the service in that Prometheus: 'job="shop"'
  --at <time>            when the look at Prometheus ended, as 2026-01-31T12:00:00Z; default: now
  --seconds <n>          how long to look; default 60, or as long as the baseline did
What to do with it:
  --out <file>           record: where to write; default ${FILE}
  --baseline <file>      compare: with what; default ${FILE}
  --json                 print JSON and no table
What is still the same:
  --p99 <times>          a route's p99 (p95 below 500 requests) times so many; default ${DEFAULT_TOLERANCES.p99}, and 10 ms
  --throughput <share>   so much of a route's requests per second; default ${DEFAULT_TOLERANCES.throughput}
  --errors <share>       so much more of a route's requests fail; default ${DEFAULT_TOLERANCES.errors}
  --queries <times>      a route's queries per request times so many; default ${DEFAULT_TOLERANCES.queries}, and half a query
  --hit-ratio <share>    so much less of a cache's lookups hit; default ${DEFAULT_TOLERANCES.hitRatio}
  --min-requests <n>     routes and caches with less traffic are not judged; default ${DEFAULT_TOLERANCES.minRequests}
New queries are those with a new db.query.summary that ran 10 times or more.
Exit codes: 0 nothing became worse, 1 something did, 2 it could not be compared.
`;

const OPTIONS = {
  url: { type: "string" },
  prometheus: { type: "string" },
  select: { type: "string" },
  at: { type: "string" },
  seconds: { type: "string" },
  out: { type: "string", default: FILE },
  baseline: { type: "string", default: FILE },
  json: { type: "boolean", default: false },
  p99: { type: "string" },
  throughput: { type: "string" },
  errors: { type: "string" },
  queries: { type: "string" },
  "hit-ratio": { type: "string" },
  "min-requests": { type: "string" },
} as const;

type Given = ReturnType<typeof parse>["values"];

/** `telltale baseline`. */
export const baseline: Command = {
  help: HELP,
  async run(args) {
    const { values, positionals } = parse(args);
    const [what, ...files] = positionals;
    if (what === "record" && files.length === 0) await record(values);
    else if (what === "compare" && files.length <= 1) await compareWith(values, files[0]);
    else
      throw new UsageError(
        "say telltale baseline record, or telltale baseline compare [file]; see telltale baseline --help",
      );
  },
};

async function record(given: Given): Promise<void> {
  const { minRequests } = readTolerances(given);
  const found = await look(given, 60);
  if (Object.keys(found.routes).length === 0)
    throw new UsageError("no request was served meanwhile: record under load");
  writeBaseline(given.out, found);
  process.stdout.write(given.json ? toJson(found) : `${describeBaseline(found, minRequests)}\n\nWrote ${given.out}\n`);
}

async function compareWith(given: Given, file: string | undefined): Promise<void> {
  const tolerances = readTolerances(given);
  const before = readBaseline(given.baseline);
  const now = file === undefined ? await look(given, before.seconds) : readBaseline(file);
  const comparison = compare(before, now, tolerances);
  // What nearly nobody asks is neither slow nor fast; that it is down, others say.
  if (requestsOf(now) < tolerances.minRequests || comparison.judged + comparison.regressions.length === 0) {
    throw new UsageError(describeTooLittle(now, tolerances));
  }
  process.stdout.write(
    given.json ? toJson({ ...comparison, tolerances, before, now }) : `${describeComparison(comparison)}\n`,
  );
  if (comparison.regressions.length > 0) process.exitCode = 1;
}

function requestsOf({ routes }: Baseline): number {
  return Object.values(routes).reduce((sum, { requests }) => sum + requests, 0);
}

function describeTooLittle(now: Baseline, { minRequests }: Tolerances): string {
  return `too little traffic to compare: ${requestsOf(now)} requests in ${Math.round(now.seconds)} s, and no route has ${minRequests} in both looks; look longer (--seconds), or ask for less (--min-requests)`;
}

async function look(given: Given, usualSeconds: number): Promise<Baseline> {
  const seconds = Math.round(
    readNumber("seconds", given.seconds, 1, 86_400, "a number of seconds from 1 to 86400") ?? usualSeconds,
  );
  if (given.prometheus === undefined) {
    const misplaced = (["select", "at"] as const).find((name) => given[name] !== undefined);
    if (misplaced !== undefined) throw new UsageError(`--${misplaced} goes with --prometheus`);
    const address = readUrl("url", metricsUrl(given.url), URL_OF_METRICS);
    process.stderr.write(`telltale: looking at ${address.origin}${address.pathname} for ${seconds} s\n`);
    return measure(await lookAtService(address, seconds), Date.now());
  }
  if (given.url !== undefined) throw new UsageError("--url and --prometheus are two places to look: say one");
  const at = given.at === undefined ? Date.now() : Date.parse(given.at);
  if (Number.isNaN(at))
    throw new UsageError(`--at must be a time such as 2026-01-31T12:00:00Z, got ${JSON.stringify(given.at)}`);
  const address = readUrl("prometheus", given.prometheus, "http://localhost:9090");
  return measure(await lookAtPrometheus(address, given.select ?? "", seconds, at), at);
}

/** Of what somebody would write for the endpoint, as for `telltale report`. */
function metricsUrl(given: string | undefined): string {
  const port = process.env["OTEL_EXPORTER_PROMETHEUS_PORT"] ?? "";
  const text = given ?? (/^[1-9]\d*$/.test(port) ? port : String(DEFAULT_PORT));
  const address = /^\d+$/.test(text) ? `127.0.0.1:${text}` : text;
  return /^[\w.-]+:\d+$/.test(address) ? `http://${address}/metrics` : address;
}

function readTolerances(given: Given): Tolerances {
  const times = "a number from 1 on";
  const share = "a number from 0 to 1";
  return {
    p99: readNumber("p99", given.p99, 1, Number.MAX_VALUE, times) ?? DEFAULT_TOLERANCES.p99,
    throughput: readNumber("throughput", given.throughput, 0, 1, share) ?? DEFAULT_TOLERANCES.throughput,
    errors: readNumber("errors", given.errors, 0, 1, share) ?? DEFAULT_TOLERANCES.errors,
    queries: readNumber("queries", given.queries, 1, Number.MAX_VALUE, times) ?? DEFAULT_TOLERANCES.queries,
    hitRatio: readNumber("hit-ratio", given["hit-ratio"], 0, 1, share) ?? DEFAULT_TOLERANCES.hitRatio,
    minRequests:
      readNumber("min-requests", given["min-requests"], 1, Number.MAX_VALUE, times) ?? DEFAULT_TOLERANCES.minRequests,
  };
}

function readNumber(
  name: string,
  given: string | undefined,
  min: number,
  max: number,
  what: string,
): number | undefined {
  if (given === undefined) return undefined;
  const value = given.trim() === "" ? Number.NaN : Number(given);
  if (value >= min && value <= max) return value;
  throw new UsageError(`--${name} must be ${what}, got ${JSON.stringify(given)}`);
}

function readUrl(name: string, given: string, example: string): URL {
  if (expectUrl(given) === undefined) return new URL(given);
  throw new UsageError(`--${name} must be a URL such as ${example}`);
}

function parse(args: readonly string[]) {
  return parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true });
}

function toJson(value: object): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}

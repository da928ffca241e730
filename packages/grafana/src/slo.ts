import { METRICS } from "@telltale/core";
import { parseDocument, stringify } from "yaml";

/** What services promise, and when somebody must look. Shares are from 0 to 1. */
export interface Slo {
  /** Values of `job` that the rules are for; none means all that Telltale watches. */
  readonly services: readonly string[];
  readonly requests: {
    /** 95 % of the requests are faster. */
    readonly p95Ms: number;
    /** 99 % of the requests are faster. */
    readonly p99Ms: number;
    /** Share of requests that may fail. */
    readonly errorRatio: number;
    /** Bad requests within the time over which a budget is looked at; fewer burn none. */
    readonly minBad: number;
    /** p99 of a route over its own a day earlier. */
    readonly p99Growth: number;
    /** Requests over those of the same hour a day earlier. */
    readonly throughputShare: number;
  };
  readonly database: {
    /** Mean of all calls of one system. */
    readonly meanMs: number;
  };
  readonly caches: {
    /** Hits of all lookups of one cache: below this somebody should look … */
    readonly hitRatioWarn: number;
    /** … and below this, now. */
    readonly hitRatioPage: number;
  };
  readonly pools: {
    /** Connections in use over the pool's limit. */
    readonly utilization: number;
  };
  readonly runtime: {
    readonly eventLoopUtilization: number;
    /** Of all CPUs that the process may use. */
    readonly cpuUtilization: number;
    /** Of what the heap may take at most. */
    readonly heapUtilization: number;
  };
  /** Events per second below which hit ratios and comparisons with the day before say nothing. */
  readonly minPerSecond: number;
}

export const DEFAULT_SLO: Slo = {
  services: [],
  requests: { p95Ms: 200, p99Ms: 500, errorRatio: 0.01, minBad: 5, p99Growth: 2, throughputShare: 0.8 },
  database: { meanMs: 50 },
  caches: { hitRatioWarn: 0.9, hitRatioPage: 0.6 },
  pools: { utilization: 0.8 },
  runtime: { eventLoopUtilization: 0.8, cpuUtilization: 0.8, heapUtilization: 0.85 },
  minPerSecond: 0.1,
};

/** A wrong `slo.yaml`: every problem found, each with what was expected, what came and what to do. */
export class SloError extends Error {
  override readonly name = "SloError";
  readonly problems: readonly string[];
  constructor(problems: readonly string[]) {
    super(problems.join("\n"));
    this.problems = problems;
  }
}

/** What is expected, unless the value is right. */
type Check = (value: unknown) => string | undefined;
type Schema = { readonly [key: string]: Schema | Check };

const HIGHEST_MS = Math.max(...(METRICS.httpServerDuration.buckets ?? [])) * 1000;

const number =
  (what: string, isRight: (value: number) => boolean): Check =>
  (value) =>
    typeof value === "number" && isRight(value) ? undefined : what;
const share = number("a share above 0 and below 1, such as 0.8", (value) => value > 0 && value < 1);
const requestMs = number(
  `milliseconds above 0, at most ${HIGHEST_MS}, the highest bucket of request durations`,
  (value) => value > 0 && value <= HIGHEST_MS,
);

/** What neither YAML nor PromQL takes: Prometheus would refuse the whole file of rules. */
const UNWRITABLE = /[\p{Cc}\p{Cs}\uFEFF\uFFFE\uFFFF]/u;

const SCHEMA: Schema = {
  services: (value) =>
    Array.isArray(value) && value.every((name) => typeof name === "string" && name !== "" && !UNWRITABLE.test(name))
      ? undefined
      : "a list of names of jobs in Prometheus, such as [shop]",
  requests: {
    p95Ms: requestMs,
    p99Ms: requestMs,
    errorRatio: share,
    minBad: number("a number of requests, 0 or more", (value) => value >= 0 && value < Infinity),
    p99Growth: number("a factor above 1, such as 2", (value) => value > 1 && value < Infinity),
    throughputShare: share,
  },
  database: { meanMs: number("milliseconds above 0", (value) => value > 0 && value < Infinity) },
  caches: { hitRatioWarn: share, hitRatioPage: share },
  pools: { utilization: share },
  runtime: { eventLoopUtilization: share, cpuUtilization: share, heapUtilization: share },
  minPerSecond: number("events per second, 0 or more", (value) => value >= 0 && value < Infinity),
};

/**
 * Reads an `slo.yaml`; what it does not say stays as in `DEFAULT_SLO`. `file` is what errors call it.
 *
 * @throws SloError with every problem found.
 */
export function readSlo(text: string, file = "slo.yaml"): Slo {
  // With "silent" a second document is no error and goes unread.
  const document = parseDocument(text, { logLevel: "error" });
  const [broken] = document.errors;
  if (broken?.code === "MULTIPLE_DOCS") {
    throw new SloError([`${file} must be one document, got a second one after a line ---; put all into one`]);
  }
  if (broken !== undefined) {
    const [first = ""] = broken.message.split("\n", 1);
    throw new SloError([`${file} is no YAML: ${first.replace(/:$/, "")}; correct that line`]);
  }
  const given: unknown = document.toJS() ?? {};
  const problems = findProblems(SCHEMA, given, DEFAULT_SLO, file, "");
  if (problems.length > 0) throw new SloError(problems);
  const slo = merge(DEFAULT_SLO, given) as Slo;
  const contradictions = findContradictions(slo, file);
  if (contradictions.length > 0) throw new SloError(contradictions);
  return slo;
}

function findProblems(schema: Schema, given: unknown, otherwise: unknown, file: string, prefix: string): string[] {
  if (!isGroup(given)) return [`${file}: ${prefix || "the file"} must hold names with values, got ${show(given)}`];
  return Object.entries(given).flatMap(([key, value]) => {
    const name = prefix === "" ? key : `${prefix}.${key}`;
    const check = Object.hasOwn(schema, key) ? schema[key] : undefined;
    const usual = isGroup(otherwise) ? otherwise[key] : undefined;
    if (check === undefined) {
      const place = prefix === "" ? "" : ` in ${prefix}`;
      return [`${file}: unknown name ${name}; known${place} are ${Object.keys(schema).join(", ")}`];
    }
    if (typeof check !== "function") return findProblems(check, value, usual, file, name);
    const expected = check(value);
    if (expected === undefined) return [];
    return [
      `${file}: ${name} must be ${expected}, got ${show(value)}; correct it or leave it out for ${JSON.stringify(usual)}`,
    ];
  });
}

function findContradictions({ requests, caches }: Slo, file: string): string[] {
  const problems: string[] = [];
  if (requests.p95Ms > requests.p99Ms) {
    const { p95Ms, p99Ms } = requests;
    problems.push(`${file}: requests.p95Ms (${p95Ms}) must not be above requests.p99Ms (${p99Ms}); change one of them`);
  }
  if (caches.hitRatioPage > caches.hitRatioWarn) {
    const { hitRatioPage, hitRatioWarn } = caches;
    problems.push(
      `${file}: caches.hitRatioPage (${hitRatioPage}) must not be above caches.hitRatioWarn (${hitRatioWarn}); change one of them`,
    );
  }
  return problems;
}

function merge(usual: unknown, given: unknown): unknown {
  if (!isGroup(usual) || !isGroup(given)) return given ?? usual;
  return Object.fromEntries(Object.entries(usual).map(([key, value]) => [key, merge(value, given[key])]));
}

function isGroup(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function show(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}

const HEAD = `# What the services promise, and when somebody must look. Change it, then run telltale grafana again with the same options.
# Shares are from 0 to 1. services: [] are all that Telltale watches, else names of jobs in Prometheus.
# requests.minBad: with fewer bad requests no budget burns. minPerSecond: with fewer events per second, hit ratios and comparisons with the day before raise no alert.
`;

/** An `slo.yaml` that says all there is to say. */
export function writeSlo(slo: Slo): string {
  return HEAD + stringify(slo);
}

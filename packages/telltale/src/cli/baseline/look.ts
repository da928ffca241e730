import { performance } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { UsageError } from "../command.js";
import { readAddress } from "./address.js";
import { MEASURED, namesOf } from "./names.js";
import { type Growth, readPage, type Sample, underscored } from "./sample.js";

const PAGE =
  "application/openmetrics-text;version=1.0.0;escaping=underscores,text/plain;version=0.0.4;escaping=underscores;q=0.5";

/** Looks at the metrics of a running service twice. */
export async function lookAtService(url: URL, seconds: number): Promise<Growth> {
  const before = await readMetrics(url);
  const fromMs = performance.now();
  await sleep(seconds * 1000);
  const after = await readMetrics(url);
  const elapsed = (performance.now() - fromMs) / 1000;
  const samples: Sample[] = [];
  for (const [series, { name, labels, value }] of after) {
    samples.push({ name, labels, value: value - (before.get(series)?.value ?? 0) });
  }
  const fallen = [...before].some(([series, { value }]) => !((after.get(series)?.value ?? 0) >= value));
  if (fallen)
    throw new UsageError(`--url: the service was restarted meanwhile, its counters began again; look once more`);
  return { samples, seconds: elapsed };
}

/** Of histograms the buckets are enough: the last of them counts all. */
const FAMILIES = Object.values(MEASURED).map((definition) => ({
  names: namesOf(definition),
  part: definition.kind === "histogram" ? "_bucket" : "",
}));

async function readMetrics(url: URL): Promise<Map<string, Sample>> {
  const { body } = await readAddress("url", url, PAGE);
  let page: Sample[];
  try {
    page = readPage(body);
  } catch (error) {
    const line = error instanceof Error ? error.message : String(error);
    throw new UsageError(
      `--url must be a page of metrics, such as http://127.0.0.1:9464/metrics; it has the line ${JSON.stringify(line)}`,
    );
  }
  const wanted = page.filter(({ name }) => isMeasured(name));
  return new Map(wanted.map((sample) => [`${sample.name}${JSON.stringify(sample.labels)}`, sample]));
}

function isMeasured(name: string): boolean {
  return FAMILIES.some(({ names, part }) => names.some((family) => name === family + part));
}

interface Answer {
  readonly status: string;
  readonly error?: string;
  readonly data?: {
    readonly result: readonly { readonly metric: Record<string, string>; readonly value: [number, string] }[];
  };
}

/** Asks a Prometheus how much series grew in the seconds before `at` (ms since the epoch). `select` are matchers: `job="shop"`. */
export async function lookAtPrometheus(url: URL, select: string, seconds: number, at: number): Promise<Growth> {
  const samples: Sample[] = [];
  for (const { names, part } of FAMILIES) {
    // By whichever strategy it is named, with dots or underscores.
    const pattern = `(${names.join("|")})${part}`.replaceAll("_", "[._]");
    const selector = [`__name__=~"${pattern}"`, select].filter((matcher) => matcher !== "").join(",");
    const target = new URL(`${url.href.replace(/\/+$/, "")}/api/v1/query`);
    const query = `increase({${selector}}[${seconds}s])`;
    target.search = String(new URLSearchParams({ query, time: String(at / 1000) }));
    samples.push(...(await ask(target, `${names[0]}${part}`)));
  }
  return { samples, seconds };
}

/** `increase` drops names, so it is said which one it is. */
async function ask(target: URL, name: string): Promise<Sample[]> {
  const { body } = await readAddress("prometheus", target, "application/json");
  let answer: Answer;
  try {
    answer = JSON.parse(body) as Answer;
  } catch {
    throw new UsageError(`--prometheus must be the address of a Prometheus; ${target.origin} does not answer as one`);
  }
  if (answer.status !== "success" || answer.data === undefined) {
    throw new UsageError(`--prometheus: ${answer.error ?? "it gave no data"}`);
  }
  return answer.data.result.map(({ metric, value }) => {
    const labels = Object.fromEntries(Object.entries(metric).map(([label, text]) => [underscored(label), text]));
    return { name, labels, value: Number(value[1]) };
  });
}

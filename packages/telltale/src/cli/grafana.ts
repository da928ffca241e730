import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { parseArgs } from "node:util";
import { type Naming, namings } from "@telltale/core";
import {
  createFiles,
  DEFAULT_SLO,
  DEFAULT_URLS,
  EXAMPLES,
  readSlo,
  type Slo,
  SloError,
  type Urls,
  writeSlo,
} from "@telltale/grafana";
import { url as expectUrl } from "../config/schema.js";
import { type Command, UsageError } from "./command.js";

const STRATEGY = "UnderscoreEscapingWithSuffixes";

const HELP = `telltale grafana --out <folder>: dashboards, rules and examples of configurations for what Telltale records

  --out <folder>        where to write; made if it is not there, files of the same names are replaced,
                        but not slo.yaml and the examples for Prometheus and Alertmanager, which are yours to change
  --slo <file>          what your services promise, as YAML; default: slo.yaml in the folder, which is written if it is not there
  --strategy <name>     how metrics are named, as metrics.naming of the services says; default ${STRATEGY}
                        one of ${Object.keys(namings).join(", ")}
  --dashboards <path>   where Grafana finds the dashboards; default: where they are written
  --grafana <url>       for the links in alerts; default ${DEFAULT_URLS.grafana}
  --prometheus <url>    as Grafana reaches it; default ${DEFAULT_URLS.prometheus}
  --jaeger <url>        as Grafana reaches it; default ${DEFAULT_URLS.jaeger}
  --tempo <url>         as Grafana reaches it; default ${DEFAULT_URLS.tempo}
  --alertmanager <url>  as Grafana and Prometheus reach it; default ${DEFAULT_URLS.alertmanager}
`;

const OPTIONS = {
  out: { type: "string" },
  slo: { type: "string" },
  strategy: { type: "string", default: STRATEGY },
  dashboards: { type: "string" },
  grafana: { type: "string", default: DEFAULT_URLS.grafana },
  prometheus: { type: "string", default: DEFAULT_URLS.prometheus },
  jaeger: { type: "string", default: DEFAULT_URLS.jaeger },
  tempo: { type: "string", default: DEFAULT_URLS.tempo },
  alertmanager: { type: "string", default: DEFAULT_URLS.alertmanager },
} as const;

/** `telltale grafana`. */
export const grafana: Command = {
  help: HELP,
  async run(args) {
    const given = parseArgs({ args: [...args], options: OPTIONS }).values;
    if (given.out === undefined || given.out === "") {
      throw new UsageError("--out must be the folder to write to, such as --out telltale-grafana");
    }
    if (given.dashboards === "") {
      throw new UsageError("--dashboards must be the folder where Grafana finds the dashboards, or left out");
    }
    const folder = resolve(given.out);
    const naming = findNaming(given.strategy);
    const urls = readUrls(given);
    const { slo, source, isNew } = findSlo(folder, given.slo);
    const files = createFiles({ naming, slo, urls, dashboardFolder: given.dashboards ?? join(folder, "dashboards") });
    if (isNew) files.set("slo.yaml", writeSlo(slo));
    const kept = EXAMPLES.filter((path) => existsSync(join(folder, path)));
    for (const path of kept) files.delete(path);
    for (const [path, text] of files) write(join(folder, path), text);
    process.stdout.write(describe([...files.keys()], kept, folder, source, given.strategy));
  },
};

function findNaming(strategy: string): Naming {
  const found = Object.entries(namings).find(([name]) => name === strategy);
  if (found !== undefined) return found[1];
  const known = Object.keys(namings).join(", ");
  throw new UsageError(`--strategy must be one of ${known}, got ${JSON.stringify(strategy)}`);
}

function readUrls(given: Readonly<Record<keyof Urls, string>>): Urls {
  const read = (name: keyof Urls): string => {
    const expected = expectUrl(given[name]);
    if (expected === undefined) return given[name].replace(/\/+$/, "");
    const usual = DEFAULT_URLS[name];
    throw new UsageError(`--${name} must be a URL such as ${usual}, got ${JSON.stringify(given[name])}`);
  };
  return {
    grafana: read("grafana"),
    prometheus: read("prometheus"),
    alertmanager: read("alertmanager"),
    jaeger: read("jaeger"),
    tempo: read("tempo"),
  };
}

/** What the services promise: the file that is named, the one in the folder from last time, or else the defaults. */
function findSlo(folder: string, named: string | undefined): { slo: Slo; source: string; isNew: boolean } {
  const file = named ?? join(folder, "slo.yaml");
  if (named === undefined && !existsSync(file)) return { slo: DEFAULT_SLO, source: "defaults", isNew: true };
  const shown = named ?? relative(process.cwd(), file);
  try {
    return { slo: readSlo(readFileSync(file, "utf8"), shown), source: shown, isNew: false };
  } catch (error) {
    if (error instanceof SloError) throw new UsageError(error.problems.join("\n"));
    throw new UsageError(`--slo must be a file that can be read, got ${JSON.stringify(shown)}: ${messageOf(error)}`);
  }
}

function write(file: string, text: string): void {
  try {
    makeFolder(dirname(file));
    writeFileSync(file, text);
  } catch (error) {
    throw new UsageError(`--out must be a folder that can be written to; ${file} cannot: ${messageOf(error)}`);
  }
}

/** Node's own recursive one never ends below a folder that says there is none, as /proc does. */
function makeFolder(folder: string): void {
  if (existsSync(folder)) return;
  makeFolder(dirname(folder));
  mkdirSync(folder);
}

function describe(
  paths: readonly string[],
  kept: readonly string[],
  folder: string,
  source: string,
  strategy: string,
): string {
  const isPrometheus3 = strategy.startsWith("No");
  const left =
    kept.length > 0 ? `\nLeft as they were: ${kept.join(", ")}; remove them to have them written again\n` : "";
  return `Wrote ${paths.length} files to ${folder} (promises: ${source}; names: ${strategy}${isPrometheus3 ? ", for Prometheus 3 and Alertmanager 0.28" : ""}):
${[...paths]
  .sort()
  .map((path) => `  ${path}`)
  .join("\n")}
${left}
What to do next (paths are within that folder):
  Grafana       copy provisioning/ into its own folder of that name and start it again, or import dashboards/*.json by hand
  Prometheus    add prometheus/telltale.rules.yaml to rule_files, and start it with --enable-feature=exemplar-storage;
                prometheus/prometheus.yaml is an example of all it needs
  Alertmanager  put your receivers into alertmanager/alertmanager.yaml, an example that tells pages from warnings
  Promises      change slo.yaml and run this again with the same options
Check what you changed: promtool check rules prometheus/telltale.rules.yaml; amtool check-config alertmanager/alertmanager.yaml
`;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

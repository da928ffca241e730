import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { parse } from "yaml";

export interface DataSource {
  readonly uid: string;
  readonly type: string;
  readonly url: string;
  readonly jsonData?: {
    readonly exemplarTraceIdDestinations?: readonly { readonly name: string; readonly datasourceUid: string }[];
  };
}

/** What `telltale grafana` wrote. */
export interface Generated {
  readonly folder: string;
  readonly dashboards: Readonly<Record<string, string>>;
  readonly dataSources: readonly DataSource[];
  /** Where Grafana is told to look for the dashboards. */
  readonly dashboardFolder: string;
  remove(): void;
}

const CLI = fileURLToPath(new URL("../../../packages/telltale/telltale.cjs", import.meta.url));

/** Runs the `telltale grafana …` of an example's npm script, with a folder of its own in place of `--out`. */
export async function runGenerate(script: string): Promise<Generated> {
  const [program, ...args] = script.split(" ");
  const out = args.indexOf("--out") + 1;
  if (program !== "telltale" || out === 0) throw new Error(`not a command of telltale with --out: ${script}`);
  const folder = mkdtempSync(join(tmpdir(), "telltale-generated-"));
  await promisify(execFile)(process.execPath, [CLI, ...args.with(out, folder)]);
  const read = (name: string): string => readFileSync(join(folder, name), "utf8");
  const files = readdirSync(join(folder, "dashboards"));
  const provider = parse(read("provisioning/dashboards/telltale.yaml")) as {
    providers: readonly [{ options: { path: string } }];
  };
  return {
    folder,
    dashboards: Object.fromEntries(files.map((file) => [file, read(`dashboards/${file}`)])),
    dataSources: readDataSources(read("provisioning/datasources/telltale.yaml")),
    dashboardFolder: provider.providers[0].options.path,
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

export function readDataSources(yaml: string): readonly DataSource[] {
  return (parse(yaml) as { datasources: readonly DataSource[] }).datasources;
}

/** Uids that dashboards or exemplar links name and that no data source has. */
export function findUnknownUids({ dashboards }: Generated, dataSources: readonly DataSource[]): string[] {
  // `${datasource}` is the dashboards' variable: any Prometheus. `-- Grafana --` and the like come with Grafana.
  const inDashboards = Object.values(dashboards).flatMap((text) => namedUids(JSON.parse(text)));
  const linked = dataSources.flatMap(({ jsonData }) =>
    (jsonData?.exemplarTraceIdDestinations ?? []).map(({ datasourceUid }) => datasourceUid),
  );
  const known = new Set(["${datasource}", "-- Grafana --", "grafana", ...dataSources.map(({ uid }) => uid)]);
  return [...new Set([...inDashboards, ...linked])].filter((uid) => !known.has(uid));
}

function namedUids(value: unknown): string[] {
  if (typeof value !== "object" || value === null) return [];
  const { datasource, ...rest } = value as { datasource?: string | { uid?: string } };
  const own = typeof datasource === "object" ? datasource?.uid : datasource;
  return [...(own === undefined ? [] : [own]), ...Object.values(rest).flatMap(namedUids)];
}

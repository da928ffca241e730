import { readEnvironment } from "./environment.js";
import { findAppFolder, readConfigFile, readPackageName } from "./file.js";
import { ConfigError, type OtlpOptions, type SourceOptions, type TelltaleOptions } from "./options.js";
import { CODE_SCHEMA, findProblems, isGroup } from "./schema.js";

/** The options in force, each from the strongest source that has it: code, environment, file. */
export interface Config extends SourceOptions {
  /** The name in the app's package.json, the weakest source of `service.name`. */
  readonly packageName: string | undefined;
}

/** Reads, checks and merges every source; throws `ConfigError` with all the problems at once. */
export function resolveConfig(
  code: TelltaleOptions,
  env: Readonly<Record<string, string | undefined>>,
  script: string | undefined,
  workingDirectory: string,
): Config {
  const appFolder = findAppFolder(script, workingDirectory);
  const environment = readEnvironment(env);
  const file = readConfigFile(appFolder);
  const problems = [...findProblems(CODE_SCHEMA, code, "start()"), ...environment.problems, ...file.problems];
  if (problems.length > 0) throw new ConfigError(problems);
  const layers = [file.options, environment.options, code].map(withUrls);
  return { ...layers.reduce<Record<string, unknown>>(merge, {}), packageName: readPackageName(appFolder) };
}

/** Completes base URLs, so that a stronger source's base beats a weaker one's whole URL. */
function withUrls(options: SourceOptions): SourceOptions {
  const { traces, metrics } = options;
  return {
    ...options,
    ...(traces && { traces: { ...urlOf(traces, "v1/traces"), ...traces } }),
    ...(metrics && { metrics: { ...urlOf(metrics, "v1/metrics"), ...metrics } }),
  };
}

function urlOf({ endpoint }: OtlpOptions, path: string): { url?: string } {
  return endpoint === undefined ? {} : { url: endpoint.endsWith("/") ? endpoint + path : `${endpoint}/${path}` };
}

/** The stronger options over the weaker, group by group. */
function merge(weaker: Record<string, unknown>, stronger: object): Record<string, unknown> {
  const result = { ...weaker };
  for (const [key, value] of Object.entries(stronger)) {
    if (value === undefined) continue;
    const below = result[key];
    result[key] = isPlain(value) && isPlain(below) ? merge(below, value) : value;
  }
  return result;
}

function isPlain(value: unknown): value is Record<string, unknown> {
  return isGroup(value) && Object.getPrototypeOf(value) === Object.prototype;
}

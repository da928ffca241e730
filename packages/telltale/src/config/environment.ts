import { parseKeyPairsIntoRecord } from "@opentelemetry/core";
import type { FileOptions, InstrumentationName, SourceOptions } from "./options.js";
import type { UpstreamName } from "../upstream/known.js";
import { FILE_SCHEMA, isGroup, readableFile, type Schema, show, url } from "./schema.js";

type Environment = Readonly<Record<string, string | undefined>>;
type Parse = (text: string) => unknown;

const asText: Parse = (text) => text;
/** One of a few; upper case is as good, as the specification says. */
const asWord: Parse = (text) => text.toLowerCase();
const asNumber: Parse = (text) => (text.trim() === "" ? Number.NaN : Number(text));
const asFlag: Parse = (text) => ({ true: true, false: false, 1: true, 0: false })[text.toLowerCase()] ?? text;
const asList = (text: string): string[] =>
  text
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");
const asWords = (text: string): string[] => asList(text.toLowerCase());

/** Upstream leaves out what is no pair without a word, and the collector then refuses what comes. */
const asHeaders: Parse = (text) =>
  asList(text).every((pair) => /^[^=]+=/.test(pair)) ? parseKeyPairsIntoRecord(text) : text;

/** Variables that set one option each. Those of resources, limits, propagators and logs are read by the SDK. */
const VARIABLES: readonly (readonly [variable: string, option: string, parse: Parse])[] = [
  ["TELLTALE_LOG", "log", asWord],
  ["TELLTALE_ENGINE", "engine", asWord],
  ["TELLTALE_LOG_CORRELATION", "logCorrelation", asWords],
  ["TELLTALE_SLOW_QUERY_MS", "slowQueryMs", asNumber],
  ["TELLTALE_FINDINGS_LOG", "findingsLog", asFlag],
  ["TELLTALE_FINDING_EVENTS_MS", "findingEventsMs", asNumber],
  ["TELLTALE_KNOWN_FINDINGS", "knownFindings", asText],
  ["TELLTALE_EXPLAIN", "explain", asFlag],
  ["TELLTALE_SQLCOMMENTER", "sqlcommenter", asFlag],
  ["OTEL_SERVICE_NAME", "serviceName", asText],
  ["OTEL_TRACES_EXPORTER", "traces.exporters", asWords],
  ["OTEL_TRACES_SAMPLER", "traces.sampler", asWord],
  ["OTEL_TRACES_SAMPLER_ARG", "traces.samplerArg", asNumber],
  ["TELLTALE_TRACES_KEEP", "traces.keep", asWords],
  ["TELLTALE_TRACES_KEEP_SLOW_MS", "traces.keepSlowMs", asNumber],
  ["TELLTALE_TRACES_KEEP_PER_SECOND", "traces.keepPerSecond", asNumber],
  ["OTEL_METRICS_EXPORTER", "metrics.exporters", asWords],
  ["OTEL_EXPORTER_PROMETHEUS_HOST", "metrics.host", asText],
  ["OTEL_EXPORTER_PROMETHEUS_PORT", "metrics.port", asNumber],
  ["TELLTALE_METRICS_NAMING", "metrics.naming", asText],
  ["TELLTALE_METRICS_SCOPE_LABELS", "metrics.scopeLabels", asFlag],
  ["TELLTALE_METRICS_RESOURCE_LABELS", "metrics.resourceLabels", asList],
  ["TELLTALE_METRICS_MAX_PAGE_BYTES", "metrics.maxPageBytes", asNumber],
  ["TELLTALE_METRICS_FINDINGS", "metrics.findings", asWord],
  ["OTEL_METRIC_EXPORT_INTERVAL", "metrics.intervalMs", asNumber],
  ["TELLTALE_METRICS_MERGE", "metrics.merge", asFlag],
];
/** Telltale's own; those that set no option are for AWS Lambda, and for processes of tests. */
export const OWN_VARIABLES: readonly string[] = [
  ...VARIABLES.map(([variable]) => variable).filter((variable) => variable.startsWith("TELLTALE_")),
  "TELLTALE_LAMBDA_HANDLER",
  "TELLTALE_TEST_FINDINGS",
];
const OWN_SCHEMA: Schema = { url, caFile: readableFile, certFile: readableFile, keyFile: readableFile };
const ENVIRONMENT_SCHEMA: Schema = {
  ...FILE_SCHEMA,
  traces: { ...(FILE_SCHEMA["traces"] as Schema), ...OWN_SCHEMA },
  metrics: { ...(FILE_SCHEMA["metrics"] as Schema), ...OWN_SCHEMA },
};

/** Per signal; each also exists without the signal's name, for all signals. */
const OTLP_VARIABLES: readonly (readonly [suffix: string, option: string, parse: Parse])[] = [
  ["ENDPOINT", "endpoint", asText],
  ["HEADERS", "headers", asHeaders],
  ["PROTOCOL", "protocol", asWord],
  ["COMPRESSION", "compression", asWord],
  ["TIMEOUT", "timeoutMs", asNumber],
  ["CERTIFICATE", "caFile", asText],
  ["CLIENT_CERTIFICATE", "certFile", asText],
  ["CLIENT_KEY", "keyFile", asText],
];

/** What the environment says, as options; a variable that is empty counts as not set, as the specification says. */
export function readEnvironment(env: Environment): { options: SourceOptions; problems: string[] } {
  const options: Record<string, unknown> = {};
  const problems: string[] = [];
  if (env["OTEL_SDK_DISABLED"]?.trim().toLowerCase() === "true") options["enabled"] = false;
  const take = (variable: string, option: string, parse: Parse): void => {
    const given = env[variable]?.trim();
    if (given === undefined || given === "") return;
    const value = parse(given);
    const expected = checkOf(option)(value);
    if (expected === undefined) setOption(options, option, value);
    else if (parse === asHeaders) problems.push(`${variable} must be name=value, more of them after commas`); // it may be secret
    else problems.push(`${variable} must be ${expected}, got ${show(given)}`);
  };
  for (const [variable, option, parse] of VARIABLES) take(variable, option, parse);
  for (const signal of ["traces", "metrics"]) {
    for (const [suffix, option, parse] of OTLP_VARIABLES) {
      take(`OTEL_EXPORTER_OTLP_${suffix}`, `${signal}.${option}`, parse);
      // The endpoint of one signal is its whole URL, nothing is added to it.
      const own = suffix === "ENDPOINT" ? "url" : option;
      take(`OTEL_EXPORTER_OTLP_${signal.toUpperCase()}_${suffix}`, `${signal}.${own}`, parse);
    }
  }
  readResource(env, options);
  const chosen = readInstrumentations(env);
  if (chosen !== undefined) options["instrumentations"] = chosen;
  return { options, problems: [...new Set(problems)] };
}

type Check = (value: unknown) => string | undefined;

function checkOf(option: string): Check {
  let node: Schema | Check = ENVIRONMENT_SCHEMA;
  for (const key of option.split(".")) if (typeof node !== "function") node = node[key] ?? node;
  return node as Check;
}

function setOption(options: Record<string, unknown>, option: string, value: unknown): void {
  const [first = "", second] = option.split(".");
  if (second === undefined) {
    options[first] = value;
    return;
  }
  const group = isGroup(options[first]) ? options[first] : {};
  const before = group[second];
  group[second] = isGroup(value) && isGroup(before) ? { ...before, ...value } : value;
  options[first] = group;
}

/** `OTEL_RESOURCE_ATTRIBUTES`, as the source of this strength: stronger than a file, weaker than code. */
function readResource(env: Environment, options: Record<string, unknown>): void {
  const given = env["OTEL_RESOURCE_ATTRIBUTES"];
  if (given === undefined || given.trim() === "") return;
  const attributes = parseKeyPairsIntoRecord(given);
  options["resourceAttributes"] = attributes;
  options["serviceName"] ??= attributes["service.name"];
}

/**
 * The variables of upstream's auto-instrumentation: a list of names to enable (all others are off) and one to disable. Names
 * that stand for nothing here are not its business.
 */
function readInstrumentations(env: Environment): FileOptions["instrumentations"] | undefined {
  const names = Object.keys(FILE_SCHEMA["instrumentations"] as Schema) as (InstrumentationName | UpstreamName)[];
  const enabled = asWords(env["OTEL_NODE_ENABLED_INSTRUMENTATIONS"] ?? "");
  const disabled = asWords(env["OTEL_NODE_DISABLED_INSTRUMENTATIONS"] ?? "");
  if (enabled.length === 0 && disabled.length === 0) return undefined;
  return Object.fromEntries(
    names.map((name) => [name, (enabled.length === 0 || enabled.includes(name)) && !disabled.includes(name)]),
  );
}

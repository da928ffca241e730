import { malformed, readBoolean, readDuration, readInteger, readMoment } from "./go-values.js";
import { JaegerError } from "./jaeger-error.js";

/** What a span must be, for its trace to be found. Absent conditions hold for every span. */
export interface TraceQuery {
  readonly service: string | undefined;
  readonly operation: string | undefined;
  readonly fromUs: number;
  readonly toUs: number;
  readonly minNs: number | undefined;
  readonly maxNs: number | undefined;
  /** All of them, as texts. */
  readonly tags: ReadonlyMap<string, string>;
  readonly limit: number;
}

/** As many as the Jaeger UI lets one ask for. */
const MAX_LIMIT = 1_500;
const DEFAULT_LIMIT = 100;
const LOOKBACK_US = 2 * 24 * 3_600e6;
const MAX_TAGS = 20;
const MAX_TEXT = 2_000;

/** Of `GET /api/traces`: times in microseconds. Times in `lookback` are the UI's own affair, as in Jaeger. */
export function readTraceQuery(parameters: URLSearchParams, nowMs: number): TraceQuery {
  const text = (name: string) => readText(parameters, name);
  const read = <T>(name: string, parse: (text: string, parameter: string) => T): T | undefined => {
    const value = text(name);
    return value === undefined ? undefined : parse(value, name);
  };
  const toUs = read("end", readInteger) ?? nowMs * 1_000;
  const fromUs = read("start", readInteger) ?? nowMs * 1_000 - LOOKBACK_US;
  const tags = new Map<string, string>();
  for (const tag of parameters.getAll("tag")) {
    const colon = tag.indexOf(":");
    if (colon === -1) {
      throw new JaegerError(400, `malformed 'tag' parameter, expecting key:value, received: ${tag.slice(0, 100)}`);
    }
    tags.set(tag.slice(0, colon), tag.slice(colon + 1));
  }
  for (const json of parameters.getAll("tags")) addTags(tags, json, "tags");
  read("raw", readBoolean);
  return checked({
    service: text("service"),
    operation: text("operation"),
    fromUs,
    toUs,
    minNs: read("minDuration", readDuration),
    maxNs: read("maxDuration", readDuration),
    tags,
    limit: read("limit", readInteger) ?? DEFAULT_LIMIT,
  });
}

/** Of `GET /api/v3/traces` and `/api/v3/trace-summaries`: times as RFC 3339 has them. The older names with _ are known as well. */
export function readTraceQueryV3(parameters: URLSearchParams): TraceQuery {
  const read = <T>(name: string, parse: (text: string, parameter: string) => T): T | undefined => {
    const older = name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    const [used, value] =
      readText(parameters, name) === undefined
        ? [older, readText(parameters, older)]
        : [name, readText(parameters, name)];
    return value === undefined ? undefined : parse(value, used);
  };
  const asText = (text: string) => text;
  const fromUs = read("query.startTimeMin", readMoment);
  const toUs = read("query.startTimeMax", readMoment);
  if (fromUs === undefined || toUs === undefined) {
    throw new JaegerError(400, "query.startTimeMin and query.startTimeMax are required");
  }
  if (fromUs >= toUs) throw new JaegerError(400, "query.startTimeMin must be before query.startTimeMax");
  if (readText(parameters, "query.filter") !== undefined) {
    throw new JaegerError(400, "query.filter is not supported: use query.attributes and the other parameters");
  }
  read("query.rawTraces", readBoolean);
  const tags = new Map<string, string>();
  const json = readText(parameters, "query.attributes");
  if (json !== undefined) addTags(tags, json, "query.attributes");
  return checked({
    service: read("query.serviceName", asText),
    operation: read("query.operationName", asText),
    fromUs,
    toUs,
    minNs: read("query.durationMin", readDuration),
    maxNs: read("query.durationMax", readDuration),
    tags,
    limit: read("query.searchDepth", readInteger) ?? read("query.num_traces", readInteger) ?? DEFAULT_LIMIT,
  });
}

/** Undefined where it is not given, or empty: Jaeger makes no difference. */
export function readText(parameters: URLSearchParams, name: string): string | undefined {
  const text = parameters.get(name) ?? "";
  if (text.length > MAX_TEXT) throw malformed(name, `it has ${text.length} characters, at most ${MAX_TEXT} are read`);
  return text === "" ? undefined : text;
}

function addTags(tags: Map<string, string>, json: string, parameter: string): void {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    value = undefined;
  }
  const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
  const entries = isObject ? Object.entries(value as object) : [["", undefined]];
  if (entries.some(([, one]) => typeof one !== "string")) {
    throw malformed(parameter, "cannot unmarshal JSON: expected an object of strings");
  }
  for (const [key, one] of entries as [string, string][]) tags.set(key, one);
}

function checked(query: TraceQuery): TraceQuery {
  const { minNs, maxNs, limit, tags } = query;
  if (minNs !== undefined && maxNs !== undefined && maxNs !== 0 && maxNs < minNs) {
    throw new JaegerError(400, "'maxDuration' should be greater than 'minDuration'");
  }
  if (limit <= 0) throw new JaegerError(400, "search depth must be greater than 0");
  if (tags.size > MAX_TAGS) throw new JaegerError(400, `at most ${MAX_TAGS} tags can be asked for, not ${tags.size}`);
  return { ...query, limit: Math.min(limit, MAX_LIMIT), maxNs: maxNs === 0 ? undefined : maxNs };
}

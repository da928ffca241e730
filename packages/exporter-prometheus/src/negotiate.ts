import type { Escaping } from "./escaping.js";

/** How a page is written. */
export interface Format {
  readonly kind: "text" | "openmetrics" | "protobuf";
  readonly escaping: Escaping;
  readonly contentType: string;
}

/** https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format */
export const TEXT: Format = {
  kind: "text",
  escaping: "underscores",
  contentType: "text/plain; version=0.0.4; charset=utf-8",
};

/**
 * The format that a scraper likes best of those there are, the first of equals; text 0.0.4 where it likes none.
 * https://prometheus.io/docs/instrumenting/content_negotiation/
 */
export function negotiateFormat(accept: string | undefined): Format {
  let best = TEXT;
  let bestQuality = 0;
  for (const { value, parameters, quality } of parseHeader(accept)) {
    const format = quality > bestQuality ? formatOf(value, parameters) : undefined;
    if (format === undefined) continue;
    best = format;
    bestQuality = quality;
  }
  return best;
}

/** Whether the answer may be compressed, and the client would rather have it so. */
export function takesGzip(acceptEncoding: string | undefined): boolean {
  let any = 0;
  let gzip: number | undefined;
  let identity = 0;
  for (const { value, quality } of parseHeader(acceptEncoding)) {
    if (value === "gzip" || value === "x-gzip") gzip = quality;
    else if (value === "identity") identity = quality;
    else if (value === "*") any = quality;
  }
  const liked = gzip ?? any;
  return liked > 0 && liked >= identity;
}

type Parameters = ReadonlyMap<string, string>;

function formatOf(type: string, parameters: Parameters): Format | undefined {
  const version = parameters.get("version");
  switch (type) {
    case "*/*":
    case "text/*":
      return TEXT;
    case "text/plain":
      if (version !== undefined && version !== "0.0.4" && version !== "1.0.0") return undefined;
      return describe("text", `text/plain; version=${version ?? "0.0.4"}; charset=utf-8`, parameters);
    case "application/openmetrics-text":
      if (version !== undefined && version !== "0.0.1" && version !== "1.0.0") return undefined;
      return describe(
        "openmetrics",
        `application/openmetrics-text; version=${version ?? "1.0.0"}; charset=utf-8`,
        parameters,
      );
    case "application/vnd.google.protobuf":
      if (parameters.get("proto") !== "io.prometheus.client.MetricFamily") return undefined;
      if (parameters.get("encoding") !== "delimited") return undefined;
      return describe(
        "protobuf",
        "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited",
        parameters,
      );
    default:
      return undefined;
  }
}

function describe(kind: Format["kind"], contentType: string, parameters: Parameters): Format {
  const asked = parameters.get("escaping");
  if (asked === undefined) return { kind, escaping: "underscores", contentType };
  const escaping = ESCAPINGS.get(asked.toLowerCase()) ?? "underscores";
  return { kind, escaping, contentType: `${contentType}; escaping=${escaping}` };
}

/** Prometheus says `allow-utf-8`, its documentation `allow-utf8` in places. */
const ESCAPINGS: ReadonlyMap<string, Escaping> = new Map([
  ["allow-utf-8", "allow-utf-8"],
  ["allow-utf8", "allow-utf-8"],
  ["underscores", "underscores"],
  ["dots", "dots"],
  ["values", "values"],
]);

interface Preference {
  readonly value: string;
  readonly parameters: Parameters;
  /** 0 for what is refused. */
  readonly quality: number;
}

function* parseHeader(header = ""): Generator<Preference> {
  for (const item of header.split(",")) {
    const [value = "", ...rest] = item.split(";").map((part) => part.trim());
    if (value === "") continue;
    const parameters = new Map<string, string>();
    for (const parameter of rest) {
      const [name = "", given = ""] = parameter.split("=", 2).map((part) => part.trim());
      parameters.set(name.toLowerCase(), given.replace(/^"(.*)"$/, "$1"));
    }
    const quality = Number(parameters.get("q") ?? 1);
    yield { value: value.toLowerCase(), parameters, quality: quality >= 0 ? Math.min(quality, 1) : 0 };
  }
}

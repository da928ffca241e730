/** A value of an attribute. */
export type AttributeValue =
  | string
  | number
  | boolean
  | Uint8Array
  | AttributeValue[]
  | { [key: string]: AttributeValue };
export type AttributeMap = Record<string, AttributeValue | undefined>;

/** A span as it arrived over the wire. */
export interface ReceivedSpan {
  /** 32 hex digits. */
  readonly traceId: string;
  /** 16 hex digits. */
  readonly spanId: string;
  /** Undefined for a root. */
  readonly parentSpanId: string | undefined;
  readonly name: string;
  readonly kind: "internal" | "server" | "client" | "producer" | "consumer" | "unspecified";
  /** Nanoseconds since the epoch. */
  readonly startNs: bigint;
  readonly endNs: bigint;
  readonly attributes: AttributeMap;
  readonly status: { readonly code: "unset" | "ok" | "error"; readonly message: string };
  readonly events: readonly { readonly name: string; readonly attributes: AttributeMap }[];
  readonly links: readonly { readonly traceId: string; readonly spanId: string; readonly attributes: AttributeMap }[];
  readonly resource: AttributeMap;
  readonly scope: string;
}

/** One series of a metric as it arrived over the wire. */
export interface ReceivedPoint {
  readonly metric: string;
  readonly unit: string;
  readonly kind: "gauge" | "sum" | "histogram";
  readonly attributes: AttributeMap;
  /** The value; for a histogram its sum. */
  readonly value: number;
  /** For histograms. */
  readonly count: number | undefined;
  readonly buckets: readonly number[] | undefined;
  readonly resource: AttributeMap;
}

type Json = Record<string, unknown>;
const KINDS = ["unspecified", "internal", "server", "client", "producer", "consumer"] as const;
const STATUS = ["unset", "ok", "error"] as const;

/** The spans of an export request, decoded from protobuf or parsed from JSON. */
export function flattenSpans(request: Json): ReceivedSpan[] {
  return list(request["resourceSpans"]).flatMap((group) => {
    const resource = attributes((group["resource"] as Json | undefined)?.["attributes"]);
    return list(group["scopeSpans"]).flatMap((scoped) => {
      const scope = String((scoped["scope"] as Json | undefined)?.["name"] ?? "");
      return list(scoped["spans"]).map((span) => flattenSpan(span, resource, scope));
    });
  });
}

function flattenSpan(span: Json, resource: AttributeMap, scope: string): ReceivedSpan {
  const status = (span["status"] ?? {}) as Json;
  const parent = hex(span["parentSpanId"]);
  return {
    traceId: hex(span["traceId"]),
    spanId: hex(span["spanId"]),
    parentSpanId: parent === "" ? undefined : parent,
    name: String(span["name"] ?? ""),
    kind: KINDS[Number(span["kind"] ?? 0)] ?? "unspecified",
    startNs: BigInt((span["startTimeUnixNano"] ?? 0) as string),
    endNs: BigInt((span["endTimeUnixNano"] ?? 0) as string),
    attributes: attributes(span["attributes"]),
    status: { code: STATUS[Number(status["code"] ?? 0)] ?? "unset", message: String(status["message"] ?? "") },
    events: list(span["events"]).map((event) => ({
      name: String(event["name"]),
      attributes: attributes(event["attributes"]),
    })),
    links: list(span["links"]).map((link) => ({
      traceId: hex(link["traceId"]),
      spanId: hex(link["spanId"]),
      attributes: attributes(link["attributes"]),
    })),
    resource,
    scope,
  };
}

/** The series of an export request, decoded from protobuf or parsed from JSON. */
export function flattenPoints(request: Json): ReceivedPoint[] {
  return list(request["resourceMetrics"]).flatMap((group) => {
    const resource = attributes((group["resource"] as Json | undefined)?.["attributes"]);
    return list(group["scopeMetrics"]).flatMap((scoped) =>
      list(scoped["metrics"]).flatMap((metric) => flattenMetric(metric, resource)),
    );
  });
}

function flattenMetric(metric: Json, resource: AttributeMap): ReceivedPoint[] {
  return (["gauge", "sum", "histogram"] as const).flatMap((kind) =>
    list((metric[kind] as Json | undefined)?.["dataPoints"]).map((point) => ({
      metric: String(metric["name"]),
      unit: String(metric["unit"] ?? ""),
      kind,
      attributes: attributes(point["attributes"]),
      value: Number(point["asDouble"] ?? point["asInt"] ?? point["sum"] ?? 0),
      count: point["count"] === undefined ? undefined : Number(point["count"]),
      buckets: (point["bucketCounts"] as unknown[] | undefined)?.map(Number),
      resource,
    })),
  );
}

function list(value: unknown): Json[] {
  return (value ?? []) as Json[];
}

/** Ids are bytes in protobuf and hex digits in OTLP's JSON. */
function hex(value: unknown): string {
  if (value instanceof Uint8Array) return Buffer.from(value).toString("hex");
  return typeof value === "string" ? value.toLowerCase() : "";
}

function attributes(pairs: unknown): AttributeMap {
  return Object.fromEntries(
    list(pairs).map((pair) => [String(pair["key"]), attributeValue(pair["value"] as Json | undefined)]),
  );
}

function attributeValue(value: Json | undefined): AttributeValue | undefined {
  if (value === undefined) return undefined;
  if ("intValue" in value) return Number(value["intValue"]);
  if ("arrayValue" in value) {
    const items = list((value["arrayValue"] as Json)["values"]);
    return items.map(attributeValue).filter((item) => item !== undefined);
  }
  if ("kvlistValue" in value)
    return attributes((value["kvlistValue"] as Json)["values"]) as Record<string, AttributeValue>;
  return (value["stringValue"] ?? value["boolValue"] ?? value["doubleValue"] ?? value["bytesValue"]) as
    | AttributeValue
    | undefined;
}

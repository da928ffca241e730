import { fromJSON, type ServiceDefinition } from "@grpc/proto-loader";

// The messages of OTLP traces as protobufjs takes them, which the Node.js gRPC collector side decodes with: nothing of it is ours but the
// field numbers of https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/trace/v1/trace.proto

type Field = readonly [id: number, type: string, rule?: "repeated"];

function message(fields: Record<string, Field>, oneof?: readonly string[]) {
  return {
    fields: Object.fromEntries(
      Object.entries(fields).map(([name, [id, type, rule]]) => [name, { id, type, ...(rule && { rule }) }]),
    ),
    ...(oneof && { oneofs: { value: { oneof: [...oneof] } } }),
  };
}

const ANY_VALUE = {
  stringValue: [1, "string"],
  boolValue: [2, "bool"],
  intValue: [3, "int64"],
  doubleValue: [4, "double"],
  arrayValue: [5, "ArrayValue"],
  kvlistValue: [6, "KeyValueList"],
  bytesValue: [7, "bytes"],
} as const;

const definition = fromJSON(
  {
    nested: {
      TraceService: {
        methods: {
          Export: { requestType: "ExportTraceServiceRequest", responseType: "ExportTraceServiceRequest", comment: "" },
        },
      },
      ExportTraceServiceRequest: message({ resourceSpans: [1, "ResourceSpans", "repeated"] }),
      ResourceSpans: message({
        resource: [1, "Resource"],
        scopeSpans: [2, "ScopeSpans", "repeated"],
        schemaUrl: [3, "string"],
      }),
      Resource: message({ attributes: [1, "KeyValue", "repeated"], droppedAttributesCount: [2, "uint32"] }),
      ScopeSpans: message({ scope: [1, "Scope"], spans: [2, "Span", "repeated"], schemaUrl: [3, "string"] }),
      Scope: message({
        name: [1, "string"],
        version: [2, "string"],
        attributes: [3, "KeyValue", "repeated"],
        droppedAttributesCount: [4, "uint32"],
      }),
      Span: message({
        traceId: [1, "bytes"],
        spanId: [2, "bytes"],
        traceState: [3, "string"],
        parentSpanId: [4, "bytes"],
        name: [5, "string"],
        kind: [6, "int32"],
        startTimeUnixNano: [7, "fixed64"],
        endTimeUnixNano: [8, "fixed64"],
        attributes: [9, "KeyValue", "repeated"],
        droppedAttributesCount: [10, "uint32"],
        events: [11, "Event", "repeated"],
        droppedEventsCount: [12, "uint32"],
        links: [13, "Link", "repeated"],
        droppedLinksCount: [14, "uint32"],
        status: [15, "Status"],
        flags: [16, "fixed32"],
      }),
      Event: message({
        timeUnixNano: [1, "fixed64"],
        name: [2, "string"],
        attributes: [3, "KeyValue", "repeated"],
        droppedAttributesCount: [4, "uint32"],
      }),
      Link: message({
        traceId: [1, "bytes"],
        spanId: [2, "bytes"],
        traceState: [3, "string"],
        attributes: [4, "KeyValue", "repeated"],
        droppedAttributesCount: [5, "uint32"],
        flags: [6, "fixed32"],
      }),
      Status: message({ message: [2, "string"], code: [3, "int32"] }),
      KeyValue: message({ key: [1, "string"], value: [2, "AnyValue"] }),
      KeyValueList: message({ values: [1, "KeyValue", "repeated"] }),
      ArrayValue: message({ values: [1, "AnyValue", "repeated"] }),
      AnyValue: message(ANY_VALUE, Object.keys(ANY_VALUE)),
    },
  },
  { longs: String, defaults: true, arrays: true, oneofs: true },
);

/** A value as it stands in the message, its type with it: `{ intValue: "5" }`; `{}` where there is none. */
export type DecodedValue = Record<string, unknown>;
export type DecodedAttributes = Record<string, DecodedValue>;

interface DecodedTimed {
  readonly attributes: DecodedAttributes;
  readonly droppedAttributesCount: number;
}

export interface DecodedEvent extends DecodedTimed {
  readonly name: string;
  readonly timeUnixNano: string;
}

export interface DecodedLink extends DecodedTimed {
  readonly traceId: string;
  readonly spanId: string;
  readonly traceState: string;
  readonly flags: number;
}

/** A span of a request, with all that stands around it. */
export interface DecodedSpan extends DecodedTimed {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string;
  readonly traceState: string;
  readonly name: string;
  readonly kind: number;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly events: readonly DecodedEvent[];
  readonly droppedEventsCount: number;
  readonly links: readonly DecodedLink[];
  readonly droppedLinksCount: number;
  readonly status: { readonly code: number; readonly message: string };
  readonly flags: number;
  readonly scope: { readonly name: string; readonly version: string; readonly schemaUrl: string };
  readonly resource: { readonly attributes: DecodedAttributes; readonly schemaUrl: string };
}

type Raw = Record<string, unknown>;

/** The spans of an `ExportTraceServiceRequest`; throws on broken input, on ids of a wrong length and on an attribute that comes twice. */
export function decodeSpans(request: Uint8Array): DecodedSpan[] {
  const { Export } = definition["TraceService"] as { Export: ServiceDefinition[string] };
  const { resourceSpans } = Export.requestDeserialize(Buffer.from(request)) as { resourceSpans: Raw[] };
  return resourceSpans.flatMap((group) => {
    const { attributes } = (group["resource"] ?? { attributes: [] }) as Raw;
    const resource = { attributes: readAttributes(attributes), schemaUrl: group["schemaUrl"] as string };
    return (group["scopeSpans"] as Raw[]).flatMap((scoped) => {
      const { name, version } = scoped["scope"] as { name: string; version: string };
      const scope = { name, version, schemaUrl: scoped["schemaUrl"] as string };
      return (scoped["spans"] as Raw[]).map((span) => Object.assign(readSpan(span), { scope, resource }));
    });
  });
}

function readSpan(span: Raw): Omit<DecodedSpan, "scope" | "resource"> {
  const { events, links, status, ...rest } = readTimed(span) as Raw;
  return {
    ...rest,
    traceId: readId(span["traceId"], 32),
    spanId: readId(span["spanId"], 16),
    parentSpanId: (span["parentSpanId"] as Buffer).length === 0 ? "" : readId(span["parentSpanId"], 16),
    events: (events as Raw[]).map((event) => readTimed(event)),
    links: (links as Raw[]).map((link) => readLink(link)),
    // No status and one with nothing in it say the same.
    status: { code: 0, message: "", ...(status as object | null) },
  } as unknown as Omit<DecodedSpan, "scope" | "resource">;
}

function readLink(link: Raw): Raw {
  return { ...readTimed(link), traceId: readId(link["traceId"], 32), spanId: readId(link["spanId"], 16) };
}

function readTimed(raw: Raw): Raw {
  return { ...raw, attributes: readAttributes(raw["attributes"]) };
}

function readId(bytes: unknown, digits: number): string {
  const hex = (bytes as Buffer).toString("hex");
  if (hex.length !== digits) throw new Error(`an id of ${digits} digits expected, got ${JSON.stringify(hex)}`);
  return hex;
}

function readAttributes(pairs: unknown): DecodedAttributes {
  const attributes = Object.create(null) as DecodedAttributes;
  for (const { key, value } of pairs as { key: string; value: Raw | null }[]) {
    if (Object.hasOwn(attributes, key)) throw new Error(`the attribute ${JSON.stringify(key)} comes twice`);
    attributes[key] = readValue(value);
  }
  return attributes;
}

function readValue(value: Raw | null): DecodedValue {
  const type = value?.["value"] as string | undefined;
  const content = type === undefined ? undefined : value?.[type];
  switch (type) {
    case undefined:
      return {};
    case "arrayValue":
      return { arrayValue: (content as { values: Raw[] }).values.map(readValue) };
    case "kvlistValue":
      return { kvlistValue: readAttributes((content as { values: unknown }).values) };
    case "bytesValue":
      return { bytesValue: (content as Buffer).toString("hex") };
    default:
      return { [type]: content };
  }
}

// OTLP as it is on the wire, written from https://github.com/open-telemetry/opentelemetry-proto alone: what reads it is not asked.

/** A field with a length: a text, bytes, or a message of the parts given. */
export function field(number: number, content: string | Uint8Array | readonly Uint8Array[]): Uint8Array {
  const bytes =
    typeof content === "string"
      ? Buffer.from(content)
      : content instanceof Uint8Array
        ? content
        : Buffer.concat(content);
  return Buffer.concat([varint((number << 3) | 2), varint(bytes.length), bytes]);
}

function varintField(number: number, value: number): Uint8Array {
  return Buffer.concat([varint(number << 3), varint(value)]);
}

function fixed64Field(number: number, value: bigint): Uint8Array {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(value);
  return Buffer.concat([varint((number << 3) | 1), bytes]);
}

function doubleField(number: number, value: number): Uint8Array {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleLE(value);
  return Buffer.concat([varint((number << 3) | 1), bytes]);
}

export function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return Uint8Array.from([...bytes, rest]);
    bytes.push((rest % 128) | 128);
  }
}

/** A span of those that need no more than this. */
export interface PlainSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string | undefined;
  readonly name: string;
  /** As in OTLP: 1 internal, 2 server, 3 client. */
  readonly kind: number;
  readonly startNs: bigint;
  readonly endNs: bigint;
  readonly attributes?: Readonly<Record<string, string | number>>;
  readonly isError?: boolean;
}

/** An ExportTraceServiceRequest of one service. */
export function encodeTraces(service: string, spans: readonly PlainSpan[]): Uint8Array {
  const resource = field(1, [keyValue(1, "service.name", service), keyValue(1, "service.instance.id", `${service}-1`)]);
  const scope = field(1, [field(1, "test")]);
  return field(1, [resource, field(2, [scope, ...spans.map((span) => field(2, encodeSpan(span)))])]);
}

function encodeSpan(span: PlainSpan): Uint8Array[] {
  const { traceId, spanId, parentSpanId, name, kind, startNs, endNs, attributes = {}, isError } = span;
  return [
    field(1, Buffer.from(traceId, "hex")),
    field(2, Buffer.from(spanId, "hex")),
    ...(parentSpanId === undefined ? [] : [field(4, Buffer.from(parentSpanId, "hex"))]),
    field(5, name),
    varintField(6, kind),
    fixed64Field(7, startNs),
    fixed64Field(8, endNs),
    ...Object.entries(attributes).map(([key, value]) => keyValue(9, key, value)),
    ...(isError === true ? [field(15, [varintField(3, 2)])] : []),
  ];
}

export function keyValue(number: number, key: string, value: string | number): Uint8Array {
  const any =
    typeof value === "string"
      ? field(1, value)
      : Number.isInteger(value)
        ? varintField(3, value)
        : doubleField(4, value);
  return field(number, [field(1, key), field(2, any)]);
}

// A small check of what JSON looks like, and Jaeger's official definitions written in it.

type Check = (value: unknown, at: string) => string[];

const wrong = (at: string, expected: string, value: unknown) => [
  `${at}: expected ${expected}, got ${JSON.stringify(value)}`,
];
const text: Check = (value, at) => (typeof value === "string" ? [] : wrong(at, "a text", value));
const whole: Check = (value, at) => (Number.isInteger(value) ? [] : wrong(at, "a whole number", value));
const natural: Check = (value, at) =>
  Number.isInteger(value) && Number(value) >= 0 ? [] : wrong(at, "0 or more", value);
const matching =
  (pattern: RegExp): Check =>
  (value, at) =>
    typeof value === "string" && pattern.test(value) ? [] : wrong(at, String(pattern), value);
const oneOf =
  (...choices: readonly unknown[]): Check =>
  (value, at) =>
    choices.includes(value) ? [] : wrong(at, choices.join(" or "), value);
const list =
  (item: Check): Check =>
  (value, at) =>
    Array.isArray(value) ? value.flatMap((one, index) => item(one, `${at}[${index}]`)) : wrong(at, "a list", value);
const mapOf =
  (key: RegExp, item: Check): Check =>
  (value, at) =>
    typeof value === "object" && value !== null
      ? Object.entries(value).flatMap(([name, one]) =>
          key.test(name) ? item(one, `${at}.${name}`) : wrong(at, String(key), name),
        )
      : wrong(at, "an object", value);
const orNull =
  (check: Check): Check =>
  (value, at) =>
    value === null ? [] : check(value, at);

/** Nothing else may be in it. */
function object(required: Record<string, Check>, optional: Record<string, Check> = {}): Check {
  const known: Record<string, Check> = { ...required, ...optional };
  return (value, at) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return wrong(at, "an object", value);
    const missing = Object.keys(required).filter((name) => !(name in value));
    return [
      ...missing.map((name) => `${at}: ${name} is missing`),
      ...Object.entries(value).flatMap(
        ([name, one]) => known[name]?.(one, `${at}.${name}`) ?? [`${at}: what is ${name}?`],
      ),
    ];
  };
}

const spanId = matching(/^[0-9a-f]{16}$/);
const traceId = matching(/^[0-9a-f]{32}$/);
/** model.TraceID.String(): 16 digits where the upper half is 0. */
const uiTraceId = matching(/^([0-9a-f]{16}|[0-9a-f]{32})$/);

// github.com/jaegertracing/jaeger, internal/uimodel/model.go: KeyValue, whose value has the type that it names.
const VALUES: Record<string, (value: unknown) => boolean> = {
  string: (value) => typeof value === "string",
  bool: (value) => typeof value === "boolean",
  int64: (value) => Number.isSafeInteger(value) || (typeof value === "string" && /^-?\d{16,19}$/.test(value)),
  float64: (value) => typeof value === "number",
};
const keyValue: Check = (value, at) => {
  const form = object({ key: text, type: oneOf(...Object.keys(VALUES)), value: () => [] })(value, at);
  if (form.length > 0) return form;
  const { type, value: inside } = value as { type: string; value: unknown };
  return VALUES[type]?.(inside) === true ? [] : wrong(at, type, inside);
};
const warnings = orNull(list(text));
const uiSpan = object({
  traceID: uiTraceId,
  spanID: spanId,
  operationName: text,
  references: list(object({ refType: oneOf("CHILD_OF", "FOLLOWS_FROM"), traceID: uiTraceId, spanID: spanId })),
  startTime: natural,
  duration: natural,
  tags: list(keyValue),
  logs: list(object({ timestamp: natural, fields: list(keyValue) })),
  processID: matching(/^p\d+$/),
  warnings,
});
export const uiTrace = object({
  traceID: uiTraceId,
  spans: list(uiSpan),
  processes: mapOf(/^p\d+$/, object({ serviceName: text, tags: list(keyValue) })),
  warnings,
});

// The same repository, http_handler.go of the query extension: structuredResponse and structuredError.
const structuredError = object({ msg: text }, { code: whole, traceID: uiTraceId });
export const structured = (item: Check) =>
  object({
    data: orNull(list(item)),
    total: natural,
    limit: natural,
    offset: natural,
    errors: orNull(list(structuredError)),
  });
export const names = structured(text);
export const uiOperations = structured(object({ name: text, spanKind: text }));
export const uiDependencies = structured(object({ parent: text, child: text, callCount: natural }));

// github.com/jaegertracing/jaeger-idl, swagger/api_v3/query_service.openapi.yaml (from proto/api_v3/query_service.proto).
export const v3Services = object({ services: list(text) });
export const v3Operations = object({ operations: list(object({ name: text, spanKind: text })) });
const decimal = matching(/^\d{1,20}$/);
export const v3Summaries = object(
  {},
  {
    summaries: list(
      object(
        { traceId },
        {
          rootServiceName: text,
          rootOperationName: text,
          minStartTimeUnixNano: decimal,
          maxEndTimeUnixNano: decimal,
          spanCount: natural,
          errorSpanCount: natural,
          orphanSpanCount: natural,
          services: list(object({ name: text }, { spanCount: natural, errorSpanCount: natural })),
        },
      ),
    ),
  },
);
export const v3Error = object({
  error: object({}, { grpcCode: whole, httpCode: whole, message: text, httpStatus: text }),
});

// github.com/open-telemetry/opentelemetry-proto, trace/v1 and common/v1, in the JSON form of the OTLP specification: ids in hexadecimal,
// enums as numbers, 64 bits as texts.
const anyValue: Check = (value, at) => {
  const form = object(
    {},
    {
      stringValue: text,
      boolValue: oneOf(true, false),
      intValue: matching(/^-?\d{1,19}$/),
      doubleValue: (one, where) => (typeof one === "number" ? [] : wrong(where, "a number", one)),
      arrayValue: object({}, { values: list((one, where) => anyValue(one, where)) }),
      kvlistValue: object({}, { values: list((one, where) => otlpKeyValue(one, where)) }),
      bytesValue: text,
    },
  )(value, at);
  return Object.keys(value as object).length > 1 ? [...form, `${at}: more than one value`] : form;
};
const otlpKeyValue = object({ key: text, value: anyValue });
const attributes = list(otlpKeyValue);
const otlpSpan = object(
  { traceId, spanId },
  {
    traceState: text,
    parentSpanId: spanId,
    flags: natural,
    name: text,
    kind: oneOf(0, 1, 2, 3, 4, 5),
    startTimeUnixNano: decimal,
    endTimeUnixNano: decimal,
    attributes,
    events: list(object({ timeUnixNano: decimal }, { name: text, attributes })),
    links: list(object({ traceId, spanId }, { traceState: text, attributes, flags: natural })),
    status: object({}, { message: text, code: oneOf(0, 1, 2) }),
  },
);
export const v3Traces = object({
  result: object({
    resourceSpans: list(
      object({
        resource: object({}, { attributes }),
        scopeSpans: list(object({ scope: object({}, { name: text, version: text }), spans: list(otlpSpan) })),
      }),
    ),
  }),
});

/** What is wrong with it; an empty list for nothing. As it is sent: what JSON leaves out is not there. */
export function findWrong(check: Check, body: unknown): string[] {
  return check(JSON.parse(JSON.stringify(body)), "$");
}

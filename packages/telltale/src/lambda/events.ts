import { type Attributes, type Link, propagation, ROOT_CONTEXT, trace, TraceFlags } from "@opentelemetry/api";
import { type Incoming, IncomingDescription } from "@telltale/instrumentation-http";

// What AWS documents of the events that its services call a function with. Everything may be missing: an event is whatever the caller sends.

type Fields = Readonly<Record<string, unknown>>;

/** An HTTP request that API Gateway (REST, HTTP), a function URL or a load balancer has made an event of. */
export interface HttpEvent {
  readonly start: IncomingDescription;
  readonly headers: Incoming["headers"];
  /** `http.route`, as it is configured; undefined where one function answers for all paths. */
  readonly route: string | undefined;
  /** `statusCode` of an answer that names none. */
  readonly impliedStatus: number;
}

/** Undefined for what is no HTTP request. */
export function readHttpEvent(event: unknown): HttpEvent | undefined {
  const { requestContext, httpMethod, version, path, rawPath, rawQueryString, resource, routeKey } = fieldsOf(event);
  const { http, identity, elb, protocol } = fieldsOf(requestContext);
  const isNew = version === "2.0" && http !== undefined;
  const { method = httpMethod, sourceIp = fieldsOf(identity)["sourceIp"], ...by } = fieldsOf(http);
  if (typeof method !== "string") return undefined;
  const headers = readHeaders(fieldsOf(event));
  const query = isNew ? textOf(rawQueryString) : queryOf(fieldsOf(event), elb !== undefined);
  const message: Incoming = {
    method,
    url: (textOf(isNew ? rawPath : path) ?? "/") + (query ? `?${query}` : ""),
    httpVersion: /^HTTP\/([\d.]+)$/.exec(textOf(by["protocol"] ?? protocol) ?? "")?.[1] ?? "",
    headers,
    socket: {
      remoteAddress: textOf(sourceIp),
      ...(headers["x-forwarded-proto"] !== "http" && { encrypted: true }),
    },
  };
  const route = isNew ? /^\S+ (\/.*)$/.exec(textOf(routeKey) ?? "")?.[1] : textOf(resource);
  return { start: new IncomingDescription(message, false), headers, route, impliedStatus: isNew ? 200 : 0 };
}

function readHeaders({ headers, multiValueHeaders }: Fields): Incoming["headers"] {
  const all = { ...fieldsOf(multiValueHeaders), ...fieldsOf(headers) };
  return Object.fromEntries(
    Object.entries(all).map(([name, value]) => [name.toLowerCase(), textOf(Array.isArray(value) ? value[0] : value)]),
  );
}

/** Load balancers leave it encoded. */
function queryOf(event: Fields, isEncoded: boolean): string {
  const all = { ...fieldsOf(event["queryStringParameters"]), ...fieldsOf(event["multiValueQueryStringParameters"]) };
  const pairs = Object.entries(all).flatMap(([name, values]) =>
    (Array.isArray(values) ? values : [values]).map((value): [string, string] => [name, String(value)]),
  );
  return isEncoded ? pairs.map((pair) => pair.join("=")).join("&") : new URLSearchParams(pairs).toString();
}

/** What else calls a function. */
export interface OtherEvent {
  /** Undefined where the function's name is the span's. */
  readonly spanName: string | undefined;
  readonly isMessages: boolean;
  readonly attributes: Attributes;
  readonly links: Link[];
}

/** More links than a span has by default would be thrown away. */
const MAX_LINKS = 128;
const SYSTEMS: Readonly<Record<string, string>> = { "aws:sqs": "aws_sqs", "aws:sns": "aws.sns" };
const DATA_SOURCES = new Set(["aws:s3", "aws:dynamodb", "aws:kinesis"]);

export function readOtherEvent(event: unknown): OtherEvent {
  const { Records, source } = fieldsOf(event);
  const records = Array.isArray(Records) ? Records.map(fieldsOf) : [];
  const [first = {}] = records;
  const from = textOf(first["eventSource"] ?? first["EventSource"]) ?? "";
  const system = SYSTEMS[from];
  if (system === undefined) {
    const trigger = DATA_SOURCES.has(from) ? "datasource" : source === "aws.events" ? "timer" : "other";
    return { spanName: undefined, isMessages: false, attributes: { "faas.trigger": trigger }, links: [] };
  }
  const sources = new Set(
    records.map((record) => textOf(record["eventSourceARN"] ?? fieldsOf(record["Sns"])["TopicArn"])),
  );
  const destination = sources.size === 1 ? [...sources][0]?.split(":").at(-1) : undefined;
  return {
    spanName: destination === undefined ? "process" : `process ${destination}`,
    isMessages: true,
    attributes: {
      "faas.trigger": "pubsub",
      "messaging.system": system,
      "messaging.operation.name": "process",
      "messaging.operation.type": "process",
      ...(destination !== undefined && { "messaging.destination.name": destination }),
      "messaging.batch.message_count": records.length,
    },
    links: records.slice(0, MAX_LINKS).flatMap(linksOf),
  };
}

/** To who has sent a message: as its attributes say, which OpenTelemetry writes, or else as AWS says in X-Ray's words. */
function linksOf(record: Fields): Link[] {
  const own = { ...fieldsOf(record["messageAttributes"]), ...fieldsOf(fieldsOf(record["Sns"])["MessageAttributes"]) };
  const carrier = Object.fromEntries(
    Object.entries(own).map(([name, value]) => [
      name.toLowerCase(),
      textOf(fieldsOf(value)["stringValue"] ?? fieldsOf(value)["Value"]),
    ]),
  );
  const context = trace.getSpanContext(propagation.extract(ROOT_CONTEXT, carrier));
  if (context !== undefined) return [{ context }];
  const header = textOf(fieldsOf(record["attributes"])["AWSTraceHeader"]) ?? "";
  const [, start, rest] = /\bRoot=1-([0-9a-f]{8})-([0-9a-f]{24})\b/i.exec(header) ?? [];
  const [, spanId] = /\bParent=([0-9a-f]{16})\b/i.exec(header) ?? [];
  if (start === undefined || rest === undefined || spanId === undefined) return [];
  const traceFlags = header.includes("Sampled=1") ? TraceFlags.SAMPLED : TraceFlags.NONE;
  return [
    { context: { traceId: (start + rest).toLowerCase(), spanId: spanId.toLowerCase(), traceFlags, isRemote: true } },
  ];
}

function fieldsOf(value: unknown): Fields {
  return typeof value === "object" && value !== null ? (value as Fields) : {};
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

import {
  type AttributeSink,
  type DatabaseOperation,
  type DatabaseTemplate,
  describeAnswer,
  describeArrival,
  describeOutcome,
  describeTemplate,
  describeWait,
  Generations,
  type HttpServerOperation,
  limitOf,
  type Operation,
  templateSlot,
} from "@telltale/core";
import type { EngineSpan } from "../span.js";
import { ByteWriter, tagOf } from "./byte-writer.js";
import { SpanAttributeSink } from "./span-attributes.js";

// What spans have in common is encoded once and then copied, which costs less than to write one attribute.

const slot = templateSlot();

/** The attributes of a template, encoded once and then copied. */
export function encodedTemplate(template: DatabaseTemplate): Uint8Array {
  return (template.slots[slot] ??= encodeAttributes((sink) => describeTemplate(template, sink))) as Uint8Array;
}

/** What the spans of calls of a template have in common that went alike: name, kind, and all attributes but how long a wait was. */
class EncodedCall {
  readonly name: string;
  readonly rows: number | undefined;
  readonly statusCode: string | undefined;
  readonly batchSize: number | undefined;
  readonly cacheName: string | undefined;
  readonly cacheHits: number;
  readonly cacheMisses: number;
  readonly waited: boolean;
  readonly bytes: Uint8Array;

  constructor({ name }: EngineSpan, operation: DatabaseOperation) {
    this.name = name;
    this.rows = operation.rows;
    this.statusCode = operation.statusCode;
    this.batchSize = operation.batchSize;
    this.cacheName = operation.cacheName;
    this.cacheHits = operation.cacheHits;
    this.cacheMisses = operation.cacheMisses;
    this.waited = hasFractionalWait(operation);
    const bytes = encode((writer) => {
      const sink = new SpanAttributeSink(writer);
      writer.string(tagOf(5, 2), name);
      writer.varint(tagOf(6, 0), CLIENT);
      writer.raw(encodedTemplate(operation.template));
      describeOutcome(operation, sink);
      if (this.waited) describeWait(operation, sink);
    });
    this.bytes = this.waited ? bytes.subarray(0, -8) : bytes;
  }

  fits(span: EngineSpan, operation: DatabaseOperation): boolean {
    return (
      operation.rows === this.rows &&
      operation.cacheHits === this.cacheHits &&
      operation.cacheMisses === this.cacheMisses &&
      operation.cacheName === this.cacheName &&
      operation.statusCode === this.statusCode &&
      operation.batchSize === this.batchSize &&
      hasFractionalWait(operation) === this.waited &&
      span.name === this.name
    );
  }
}

/** The same of requests of a route that came in and were answered alike: all attributes but those of the client and the path. */
class EncodedRequest {
  readonly name: string;
  readonly statusCode: number;
  readonly method: string;
  readonly originalMethod: string | undefined;
  readonly scheme: string | undefined;
  readonly serverAddress: string | undefined;
  readonly serverPort: number | undefined;
  readonly protocolVersion: string | undefined;
  readonly bytes: Uint8Array;

  constructor({ name }: EngineSpan, operation: HttpServerOperation) {
    this.name = name;
    this.statusCode = operation.statusCode;
    this.method = operation.method;
    this.originalMethod = operation.originalMethod;
    this.scheme = operation.scheme;
    this.serverAddress = operation.serverAddress;
    this.serverPort = operation.serverPort;
    this.protocolVersion = operation.protocolVersion;
    this.bytes = encode((writer) => {
      const sink = new SpanAttributeSink(writer);
      writer.string(tagOf(5, 2), name);
      writer.varint(tagOf(6, 0), SERVER);
      describeArrival(operation, sink);
      describeAnswer(operation, sink);
    });
  }

  fits(span: EngineSpan, operation: HttpServerOperation): boolean {
    return (
      operation.statusCode === this.statusCode &&
      operation.serverPort === this.serverPort &&
      operation.method === this.method &&
      operation.serverAddress === this.serverAddress &&
      operation.protocolVersion === this.protocolVersion &&
      operation.scheme === this.scheme &&
      operation.originalMethod === this.originalMethod &&
      span.name === this.name
    );
  }
}

/** As the protocol numbers the kinds of spans. */
const SERVER = 2;
const CLIENT = 3;
/** Of each template or route; a query whose rows are never the same is not looked for in a long list. */
const MAX_ALIKE = 4;
/** Of those beyond, one in so many takes the place of another: what came first may never come again, and encoding for later costs more. */
const REPLACES = 64;
/** Of a route with the server's name, which a client may make up, or an encoded template: four copies of a long one would be too much. */
const MAX_LENGTH = 1_000;
const callSlot = templateSlot();
const requests = new Generations<EncodedRequest[]>(1_000, 500_000, (route) => route.length, limitOf("span.routes"));
let beyond = 0;

/** Whether the span of a call is encoded up to how long it waited: eight bytes then, as it is no whole number of ms. */
export function hasFractionalWait({ waitMs }: DatabaseOperation): boolean {
  return waitMs > 0 && !Number.isInteger(waitMs);
}

/** Name, kind and attributes of an operation's span, where they are those of others; what differs is to be added. */
export function encodedAlike(span: EngineSpan, operation: Operation): Uint8Array | undefined {
  if (span.bounded !== undefined || operation.errorType !== undefined || operation.attributes !== undefined)
    return undefined;
  if (operation.kind === "database") return encodedCall(span, operation);
  return operation.kind === "http.server" ? encodedRequest(span, operation) : undefined;
}

function encodedCall(span: EngineSpan, operation: DatabaseOperation): Uint8Array | undefined {
  if (operation.takenSite !== undefined) return undefined;
  const { template } = operation;
  const known = (template.slots[callSlot] ??= []) as EncodedCall[];
  for (const one of known) if (one.fits(span, operation)) return one.bytes;
  if (encodedTemplate(template).length > MAX_LENGTH) return undefined;
  const at = placeAmong(known);
  return at < 0 ? undefined : (known[at] = new EncodedCall(span, operation)).bytes;
}

function encodedRequest(span: EngineSpan, operation: HttpServerOperation): Uint8Array | undefined {
  const route = operation.request?.route;
  if (route === undefined || route.length + (operation.serverAddress?.length ?? 0) > MAX_LENGTH) return undefined;
  let known = requests.get(route);
  if (known === undefined) requests.set(route, (known = []));
  for (const one of known) if (one.fits(span, operation)) return one.bytes;
  const at = placeAmong(known);
  return at < 0 ? undefined : (known[at] = new EncodedRequest(span, operation)).bytes;
}

/** Where one more is to be kept; negative for nowhere. */
function placeAmong(known: readonly unknown[]): number {
  if (known.length < MAX_ALIKE) return known.length;
  return ++beyond % REPLACES === 0 ? (beyond / REPLACES) % MAX_ALIKE : -1;
}

function encodeAttributes(describe: (sink: AttributeSink) => void): Uint8Array {
  return encode((writer) => describe(new SpanAttributeSink(writer)));
}

function encode(write: (writer: ByteWriter) => void): Uint8Array {
  const writer = new ByteWriter(1024);
  write(writer);
  return writer.take();
}

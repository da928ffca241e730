import {
  type AttributeSink,
  type DatabaseOperation,
  type DatabaseTemplate,
  describeAnswer,
  describeOutcome,
  describePeer,
  describeTemplate,
  describeWait,
  type HttpServerOperation,
  type Operation,
  templateSlot,
} from "@telltale/core";
import type { EngineSpan } from "../span.js";
import { ByteWriter, SpanAttributeSink, tagOf } from "./byte-writer.js";

// What spans have in common is encoded once and then copied: an attribute takes 600 instructions to write, a copy of all of them 400.

const slot = templateSlot();

/** The attributes of a template, encoded once and then copied. */
export function encodedTemplate(template: DatabaseTemplate): Uint8Array {
  return (template.slots[slot] ??= encodeAttributes((sink) => describeTemplate(template, sink))) as Uint8Array;
}

/** What `describePeer` reads, user agent aside. */
type PeerFacts = Pick<
  HttpServerOperation,
  "clientAddress" | "method" | "originalMethod" | "serverAddress" | "serverPort" | "scheme" | "protocolVersion"
>;

/** What the requests of one client have in common, encoded. */
interface Peer {
  readonly facts: PeerFacts;
  readonly bytes: Uint8Array;
}

/** By user agent, with the last client that had it; many clients with one user agent take turns. */
const peers = new Map<string | undefined, Peer>();
const MAX_PEERS = 500;
const MAX_PEER_BYTES = 1_000;

export function encodedPeer(operation: HttpServerOperation): Uint8Array {
  const { userAgent } = operation;
  const known = peers.get(userAgent);
  if (known !== undefined && isSamePeer(known.facts, operation)) return known.bytes;
  const bytes = encodeAttributes((sink) => describePeer(operation, sink));
  // A user agent may be as long as a head: 500 of those would be 16 MB.
  if (known !== undefined || (peers.size < MAX_PEERS && bytes.length < MAX_PEER_BYTES)) {
    const { clientAddress, method, originalMethod, serverAddress, serverPort, scheme, protocolVersion } = operation;
    const facts = { clientAddress, method, originalMethod, serverAddress, serverPort, scheme, protocolVersion };
    peers.set(userAgent, { facts, bytes });
  }
  return bytes;
}

function isSamePeer(a: PeerFacts, b: PeerFacts): boolean {
  return (
    a.clientAddress === b.clientAddress &&
    a.method === b.method &&
    a.originalMethod === b.originalMethod &&
    a.serverAddress === b.serverAddress &&
    a.serverPort === b.serverPort &&
    a.scheme === b.scheme &&
    a.protocolVersion === b.protocolVersion
  );
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

/** The same of requests of a route that were answered alike: all attributes but those of the client and the path. */
class EncodedAnswer {
  readonly name: string;
  readonly statusCode: number;
  readonly bytes: Uint8Array;

  constructor({ name }: EngineSpan, operation: HttpServerOperation) {
    this.name = name;
    this.statusCode = operation.statusCode;
    this.bytes = encode((writer) => {
      writer.string(tagOf(5, 2), name);
      writer.varint(tagOf(6, 0), SERVER);
      describeAnswer(operation, new SpanAttributeSink(writer));
    });
  }

  fits(span: EngineSpan, operation: HttpServerOperation): boolean {
    return operation.statusCode === this.statusCode && span.name === this.name;
  }
}

/** As the protocol numbers the kinds of spans. */
const SERVER = 2;
const CLIENT = 3;
/** Of each template or route, the first that come; a query whose rows are never the same is not looked for in a long list. */
const MAX_ALIKE = 4;
const MAX_ROUTES = 500;
/** Of a route, or an encoded template: four copies of a long query would be too much. */
const MAX_LENGTH = 1_000;
const callSlot = templateSlot();
const answers = new Map<string, EncodedAnswer[]>();

/** Whether the span of a call is encoded up to how long it waited: eight bytes then, as it is no whole number of ms. */
export function hasFractionalWait({ waitMs }: DatabaseOperation): boolean {
  return waitMs > 0 && !Number.isInteger(waitMs);
}

/** Name, kind and attributes of an operation's span, where they are those of others; what differs is to be added. */
export function encodedAlike(span: EngineSpan, operation: Operation): Uint8Array | undefined {
  if (span.bounded !== undefined || operation.errorType !== undefined || operation.attributes !== undefined)
    return undefined;
  if (operation.kind === "database") return encodedCall(span, operation);
  return operation.kind === "http.server" ? encodedAnswer(span, operation) : undefined;
}

function encodedCall(span: EngineSpan, operation: DatabaseOperation): Uint8Array | undefined {
  if (operation.takenSite !== undefined) return undefined;
  const { template } = operation;
  const known = (template.slots[callSlot] ??= []) as EncodedCall[];
  for (const one of known) if (one.fits(span, operation)) return one.bytes;
  if (known.length >= MAX_ALIKE || encodedTemplate(template).length > MAX_LENGTH) return undefined;
  const added = new EncodedCall(span, operation);
  known.push(added);
  return added.bytes;
}

function encodedAnswer(span: EngineSpan, operation: HttpServerOperation): Uint8Array | undefined {
  const route = operation.request?.route;
  if (route === undefined) return undefined;
  let known = answers.get(route);
  if (known === undefined) {
    if (answers.size >= MAX_ROUTES || route.length > MAX_LENGTH) return undefined;
    answers.set(route, (known = []));
  }
  for (const one of known) if (one.fits(span, operation)) return one.bytes;
  if (known.length >= MAX_ALIKE) return undefined;
  const added = new EncodedAnswer(span, operation);
  known.push(added);
  return added.bytes;
}

function encodeAttributes(describe: (sink: AttributeSink) => void): Uint8Array {
  return encode((writer) => describe(new SpanAttributeSink(writer)));
}

function encode(write: (writer: ByteWriter) => void): Uint8Array {
  const writer = new ByteWriter(1024);
  write(writer);
  return writer.take();
}

import { type DatabaseOperation, type DatabaseTemplate, keepForFinding, limitOf } from "@telltale/core";
import type { KeyPattern } from "./patterns.js";
import type { CacheRequest, UsedKey } from "./request.js";
import { endpointOf, workMs } from "../findings/describe.js";
import { hashCall, hashParameters } from "../parameters.js";

/**
 * Places for queries for what was missed, of all requests, that run or ran in the last second; each has four to go to. An array, as a Map
 * that much is taken from grows anew all the time, and its old tables keep alive what was in them (4 µs a miss).
 */
const PLACES = 8_192;
const TRIES = 4;
/** Keys that a request missed before one query: a few at once, if it asks for them in parallel. */
const MAX_MISSED = 8;
const MAX_ENDPOINTS = 5;
/** How long after the last query the answer may be put into the cache, in ms. */
const FILL_MS = 1_000;
const unfollowed = limitOf("cache.queries");

/** A key that was missed. It knows no request: what is kept for a second would keep all of it alive. */
class MissedKey {
  readonly pattern: KeyPattern;
  readonly hash: number;
  readonly next: MissedKey | undefined;

  constructor(pattern: KeyPattern, hash: number, next: MissedKey | undefined) {
    this.pattern = pattern;
    this.hash = hash;
    this.next = next;
  }
}

/** One query with one set of parameters, by requests that all missed the same key, at one time. */
export class SharedWork {
  readonly hash: number;
  readonly template: DatabaseTemplate;
  /** What all of them have missed. */
  missed: MissedKey | undefined;
  /** One of them has put there what it had asked for. */
  isFilled = false;
  requests = 0;
  running = 0;
  /** Of all its queries together, their waits for a connection left out, in ms. */
  totalMs = 0;
  endedMs = 0;
  /** How many requests there were of each; made for the second, as most work is one request's alone. */
  endpoints: Map<string, number> | undefined = undefined;
  private first = "";
  route: string | undefined = undefined;
  traceId: string | undefined = undefined;
  spanId: string | undefined = undefined;
  sampled = false;

  constructor(hash: number, template: DatabaseTemplate, missed: MissedKey | undefined) {
    this.hash = hash;
    this.template = template;
    this.missed = missed;
  }

  get pattern(): KeyPattern | undefined {
    return this.missed?.pattern;
  }

  filled({ hash, pattern }: UsedKey): void {
    for (let key = this.missed; key !== undefined; key = key.next) {
      if (key.hash === hash && key.pattern === pattern) this.isFilled = true;
    }
  }

  /** Whether it was for the cache: who asks whether something is not there (a ban, a token revoked) fills nothing. */
  isForCache(): boolean {
    return this.isFilled || this.pattern?.tellsWrites === false;
  }

  ended(operation: DatabaseOperation): void {
    this.running--;
    this.totalMs += workMs(operation);
    this.endedMs = operation.endMs;
    const endpoint = endpointOf(operation.request) ?? "";
    if (this.first === "") {
      this.first = endpoint;
      return;
    }
    this.endpoints ??= new Map([[this.first, 1]]);
    if (!this.endpoints.has(endpoint) && this.endpoints.size >= MAX_ENDPOINTS) return;
    this.endpoints.set(endpoint, (this.endpoints.get(endpoint) ?? 0) + 1);
  }

  /** Now, as the trace of a request is kept only while that is open. */
  keepTrace(operation: DatabaseOperation): void {
    if (this.traceId !== undefined) return;
    this.sampled = keepForFinding(operation);
    const spanContext = operation.span?.spanContext();
    this.traceId = spanContext?.traceId;
    this.spanId = spanContext?.spanId;
    this.route = operation.request?.route;
  }
}

/** Finds requests that miss one key at the same time, and then all run the same query for it. */
export class Stampedes {
  private readonly works: (SharedWork | undefined)[] = Array.from({ length: PLACES });
  private count = 0;
  private readonly least: number;
  private readonly tell: (work: SharedWork) => void;

  constructor(least: number, tell: (work: SharedWork) => void) {
    this.least = least;
    this.tell = tell;
  }

  began(operation: DatabaseOperation, request: CacheRequest): void {
    request.missed?.began(operation, this.join(operation, request));
  }

  /** The work of a query, if it is that of others too, or may become so. */
  private join(operation: DatabaseOperation, request: CacheRequest): SharedWork | undefined {
    const { template, text, parameters } = operation;
    // A whole number of 32 bits is no object on the heap.
    const hash = hashCall(text, hashCall(template.fingerprint, hashParameters(parameters))) | 0;
    const at = this.placeOf(hash, operation.startMs);
    if (at < 0) {
      unfollowed.total += 1;
      return undefined;
    }
    let work = this.works[at];
    if (work === undefined) {
      work = new SharedWork(hash, template, openKeysOf(request, template.system));
      if (request.missed?.takesPartIn(work) !== true) return undefined;
      this.works[at] = work;
      this.count++;
    } else {
      const both = commonKeys(work.missed, request);
      // It did the same, and for another key, or for one that it has asked for already.
      if (both === undefined || request.missed?.takesPartIn(work) !== true) return undefined;
      work.missed = both;
    }
    work.requests++;
    work.running++;
    return work;
  }

  ended(operation: DatabaseOperation, request: CacheRequest): void {
    const work = request.missed?.ended(operation);
    if (work === undefined) return;
    work.ended(operation);
    if (work.requests >= this.least) work.keepTrace(operation);
  }

  /** Where the work is, or could be; -1 where there is no room. */
  private placeOf(hash: number, startMs: number): number {
    let free = -1;
    for (let n = 0; n < TRIES; n++) {
      const at = (hash + n) & (PLACES - 1);
      const work = this.works[at];
      if (work === undefined) {
        if (free < 0) free = at;
        continue;
      }
      const isOver = work.running === 0 && startMs > work.endedMs;
      if (work.hash === hash) {
        if (isOver) this.end(at, work);
        return at;
      }
      if (!isOver || work.requests > 1 || free >= 0) continue;
      this.end(at, work);
      free = at;
    }
    return free;
  }

  /** Tells of what is over. */
  look(nowMs: number): void {
    if (this.count === 0) return;
    for (let at = 0; at < PLACES; at++) {
      const work = this.works[at];
      if (work === undefined || work.running > 0) continue;
      // Of one alone nothing is expected but those who have waited for a connection with it, and they begin at once.
      if (work.requests < this.least || work.isFilled || nowMs - work.endedMs > FILL_MS) this.end(at, work);
    }
  }

  private end(at: number, work: SharedWork): void {
    this.works[at] = undefined;
    this.count--;
    if (work.requests >= this.least && work.isForCache()) this.tell(work);
  }
}

function openKeysOf(request: CacheRequest, system: string): MissedKey | undefined {
  let open: MissedKey | undefined;
  let count = 0;
  for (let key = request.keys; key !== undefined && count < MAX_MISSED; key = key.next) {
    if (!key.isOpenBeside(system)) continue;
    open = new MissedKey(key.pattern, key.hash, open);
    count++;
  }
  return open;
}

/** Those that the request has missed as well. */
function commonKeys(missed: MissedKey | undefined, request: CacheRequest): MissedKey | undefined {
  let both: MissedKey | undefined;
  for (let key = missed; key !== undefined; key = key.next) {
    if (request.find(key.pattern, key.hash)?.isOpen === true) both = new MissedKey(key.pattern, key.hash, both);
  }
  return both;
}

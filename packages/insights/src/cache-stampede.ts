import { type DatabaseOperation, type DatabaseTemplate, keepForFinding, limitOf, type Request } from "@telltale/core";
import type { KeyPattern } from "./cache-patterns.js";
import type { CacheRequest, UsedKey } from "./cache-request.js";
import { endpointOf, workMs } from "./describe.js";
import { hashCall, hashParameters } from "./parameters.js";

/** Queries that run after a miss, of all requests. */
const MAX_RUNNING = 10_000;
/** Keys that a request missed before one query: a few at once, if it asks for them in parallel. */
const MAX_MISSED = 8;
const MAX_ENDPOINTS = 5;
/** A query that has not ended after this is not waited for any more, in ms. */
const MAX_QUERY_MS = 60_000;
/** How long after the last query the answer may be put into the cache, in ms. */
const FILL_MS = 1_000;
const unfollowed = limitOf("cache.queries");

/** One query with one set of parameters, by requests that all missed the same key, at one time. */
export class SharedWork {
  readonly template: DatabaseTemplate;
  /** What all of them have missed. */
  missed: readonly UsedKey[];
  /** One of them has put there what it had asked for. */
  isFilled = false;
  requests = 0;
  running = 0;
  /** Of all its queries together, their waits for a connection left out, in ms. */
  totalMs = 0;
  endedMs = 0;
  /** How many requests there were of each; made for the second, as most work is one request's alone. */
  endpoints: Map<string, number> | undefined = undefined;
  private first: Request | undefined = undefined;
  route: string | undefined = undefined;
  traceId: string | undefined = undefined;
  spanId: string | undefined = undefined;
  sampled = false;

  constructor(template: DatabaseTemplate, missed: readonly UsedKey[]) {
    this.template = template;
    this.missed = missed;
  }

  get pattern(): KeyPattern | undefined {
    return this.missed[0]?.pattern;
  }

  /** Notes whose query has ended. */
  endedFor(request: Request | undefined): void {
    if (this.endpoints === undefined && this.first === undefined) {
      this.first = request;
      return;
    }
    if (this.endpoints === undefined) {
      this.endpoints = new Map();
      this.addEndpoint(this.first);
    }
    this.addEndpoint(request);
  }

  private addEndpoint(request: Request | undefined): void {
    const endpoint = endpointOf(request) ?? "";
    if (this.endpoints === undefined || (!this.endpoints.has(endpoint) && this.endpoints.size >= MAX_ENDPOINTS)) return;
    this.endpoints.set(endpoint, (this.endpoints.get(endpoint) ?? 0) + 1);
  }

  filled({ hash, pattern }: UsedKey): void {
    if (this.missed.some((key) => key.hash === hash && key.pattern === pattern)) this.isFilled = true;
  }

  /** Whether it was for the cache: who asks whether something is not there (a ban, a token revoked) fills nothing. */
  isForCache(): boolean {
    return this.isFilled || this.pattern?.tellsWrites === false;
  }
}

/** A query after a miss that has not ended. */
class Running {
  readonly work: SharedWork | undefined;
  readonly request: CacheRequest;

  constructor(work: SharedWork | undefined, request: CacheRequest) {
    this.work = work;
    this.request = request;
  }
}

/** Finds requests that miss one key at the same time, and then all run the same query for it. */
export class Stampedes {
  private readonly works = new Map<number, SharedWork>();
  private readonly running = new Map<DatabaseOperation, Running>();
  private readonly least: number;
  private readonly tell: (work: SharedWork) => void;

  constructor(least: number, tell: (work: SharedWork) => void) {
    this.least = least;
    this.tell = tell;
  }

  began(operation: DatabaseOperation, request: CacheRequest): void {
    if (this.running.size >= MAX_RUNNING) unfollowed.total += 1;
    else this.running.set(operation, new Running(this.join(operation, request), request));
  }

  /** The work of a query, if it is that of others too, or may become so. */
  private join(operation: DatabaseOperation, request: CacheRequest): SharedWork | undefined {
    const { template, text, parameters } = operation;
    const hash = hashCall(text, hashCall(template.fingerprint, hashParameters(parameters)));
    let work = this.works.get(hash);
    if (work !== undefined && work.running === 0 && operation.startMs > work.endedMs) {
      this.end(hash, work);
      work = undefined;
    }
    if (work === undefined) {
      if (this.works.size >= MAX_RUNNING) {
        unfollowed.total += 1;
        return undefined;
      }
      work = new SharedWork(template, openKeysOf(request, template.system));
      if (!request.takesPartIn(work)) return undefined;
      this.works.set(hash, work);
    } else {
      const both = work.missed.filter((key) => isOpenIn(request, key));
      // It did the same, and for another key, or for one that it has asked for already.
      if (both.length === 0 || !request.takesPartIn(work)) return undefined;
      work.missed = both;
    }
    work.requests++;
    work.running++;
    return work;
  }

  ended(operation: DatabaseOperation): void {
    if (this.running.size === 0) return;
    const running = this.running.get(operation);
    if (running === undefined) return;
    this.running.delete(operation);
    const { work, request } = running;
    request.queried(operation);
    if (work === undefined) return;
    work.running--;
    work.totalMs += workMs(operation);
    work.endedMs = operation.endMs;
    work.endedFor(operation.request);
    // Now, as the trace of one is kept only while it is open.
    if (work.requests < this.least || work.traceId !== undefined) return;
    work.sampled = keepForFinding(operation);
    const spanContext = operation.span?.spanContext();
    work.traceId = spanContext?.traceId;
    work.spanId = spanContext?.spanId;
    work.route = operation.request?.route;
  }

  /** Tells of what is over. */
  look(nowMs: number): void {
    for (const [operation, { work }] of this.running) {
      if (nowMs - operation.startMs < MAX_QUERY_MS) break;
      this.running.delete(operation);
      if (work !== undefined) work.running--;
    }
    for (const [hash, work] of this.works) {
      if (work.running > 0) continue;
      // Of one alone nothing is expected but those who have waited for a connection with it, and they begin at once.
      if (work.requests < this.least || work.isFilled || nowMs - work.endedMs > FILL_MS) this.end(hash, work);
    }
  }

  private end(hash: number, work: SharedWork): void {
    this.works.delete(hash);
    if (work.requests >= this.least && work.isForCache()) this.tell(work);
  }
}

function openKeysOf(request: CacheRequest, system: string): UsedKey[] {
  const open: UsedKey[] = [];
  for (let key = request.keys; key !== undefined && open.length < MAX_MISSED; key = key.next) {
    if (key.isOpenBeside(system)) open.push(key);
  }
  return open;
}

function isOpenIn(request: CacheRequest, { hash, pattern }: UsedKey): boolean {
  for (let key = request.keys; key !== undefined; key = key.next) {
    if (key.isOpen && key.hash === hash && key.pattern === pattern) return true;
  }
  return false;
}

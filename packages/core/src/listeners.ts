import type { CacheLookup, KeyUse } from "./cache.js";
import type { Finding, FindingRecord } from "./finding.js";
import { hearOperation } from "./event-loop.js";
import { createGuard, type Guard } from "./guard.js";
import type { DatabaseOperation, HttpServerOperation, Operation } from "./operation.js";
import type { Loan, Waiter } from "./loans.js";
import type { Pool, PoolTiming } from "./pool.js";
import type { Request } from "./request.js";

/**
 * Who wants to hear what the instrumentations report. Every event is delivered synchronously, in the order in which the
 * listeners were added; what a listener throws is caught, counted and switches that listener off.
 */
export interface Listener {
  /** Names the listener where one of its failures is reported. */
  readonly name: string;
  operationStarted?(operation: Operation): void;
  operationEnded?(operation: Operation): void;
  /** A response is over that went on when its operation had ended (`isStreaming`). */
  responseEnded?(operation: HttpServerOperation): void;
  cacheLooked?(lookup: CacheLookup): void;
  /**
   * What became of one key, or of some whose names are not told. `cache` is not bounded, and the key may be a secret: neither is ever to be
   * recorded as it is. For lookups and writes that are calls, before the call's end.
   */
  keyUsed?(
    cache: string,
    key: string | undefined,
    use: KeyUse,
    keys: number,
    request: Request | undefined,
    operation: DatabaseOperation | undefined,
  ): void;
  poolTimed?(pool: Pool, what: PoolTiming, ms: number): void;
  /** `waiter` where it is known that it waited for the connections that others hold. */
  poolTimedOut?(pool: Pool, waiter: Waiter | undefined): void;
  /** Somebody who waited for others has a connection now. Who listens to this makes pools note their loans. */
  poolWaited?(pool: Pool, waiter: Waiter, nowMs: number): void;
  /** A connection comes back while somebody waits; the loan is written anew after this. */
  poolReturned?(pool: Pool, loan: Loan, nowMs: number): void;
  /** Each time that something is found; `operation` is the call or request it is about, where that is known. */
  findingMade?(finding: Finding, operation?: Operation): void;
  /** For people: when something is found for the first time, and while it comes again, once a minute. */
  findingTold?(finding: FindingRecord): void;
  /** It listens from now on. */
  added?(): void;
  /** It hears nothing more. */
  removed?(): void;
}

interface Subscription {
  readonly listener: Listener;
  readonly guard: Guard;
}

let subscriptions: readonly Subscription[] = [];
/** Of them, those who hear what comes with every call. */
let startSubscriptions: readonly Subscription[] = [];
let endSubscriptions: readonly Subscription[] = [];
let lookupSubscriptions: readonly Subscription[] = [];
let keySubscriptions: readonly Subscription[] = [];
let timingSubscriptions: readonly Subscription[] = [];
let waitSubscriptions: readonly Subscription[] = [];
let returnSubscriptions: readonly Subscription[] = [];
let nextTemplateSlot = 0;
let nextRequestSlot = 0;

/** Adds a listener at the end of the line; the result removes it. */
export function addListener(listener: Listener): () => void {
  const subscription = { listener, guard: createGuard(listener.name, () => remove(subscription)) };
  subscribe([...subscriptions, subscription]);
  try {
    listener.added?.();
  } catch (error) {
    subscription.guard.failed(error);
  }
  return () => remove(subscription);
}

function remove(subscription: Subscription): void {
  if (!subscriptions.includes(subscription)) return;
  subscribe(subscriptions.filter((other) => other !== subscription));
  try {
    subscription.listener.removed?.();
  } catch (error) {
    subscription.guard.failed(error);
  }
}

function subscribe(all: readonly Subscription[]): void {
  subscriptions = all;
  const whoHear = (event: keyof Listener) => all.filter(({ listener }) => listener[event] !== undefined);
  startSubscriptions = whoHear("operationStarted");
  endSubscriptions = whoHear("operationEnded");
  lookupSubscriptions = whoHear("cacheLooked");
  keySubscriptions = whoHear("keyUsed");
  timingSubscriptions = whoHear("poolTimed");
  waitSubscriptions = whoHear("poolWaited");
  returnSubscriptions = whoHear("poolReturned");
}

/** False while nobody listens: instrumentations then pass calls straight through. */
export function hasListeners(): boolean {
  return subscriptions.length > 0;
}

/** Whether anybody asks which keys of caches are used: to find that out takes time. */
export function hearsKeys(): boolean {
  return keySubscriptions.length > 0;
}

/** Whether anybody asks who holds connections. */
export function hearsLoans(): boolean {
  return waitSubscriptions.length > 0;
}

/** An index into the `slots` of templates that no other listener uses; taken once, when the listener is made. */
export function templateSlot(): number {
  return nextTemplateSlot++;
}

/** The same for the `slots` of requests, which have room for eight: more make each request dearer. */
export function requestSlot(): number {
  return nextRequestSlot++;
}

// One loop per event, written out: these are the hottest lines of the product, and a shared loop over method names would
// make every call site megamorphic and allocate its arguments.

export function operationStarted(operation: Operation): void {
  hearOperation();
  for (const { listener, guard } of startSubscriptions) {
    try {
      listener.operationStarted?.(operation);
    } catch (error) {
      guard.failed(error);
    }
  }
}

export function operationEnded(operation: Operation): void {
  hearOperation();
  for (const { listener, guard } of endSubscriptions) {
    try {
      listener.operationEnded?.(operation);
    } catch (error) {
      guard.failed(error);
    }
  }
}

export function responseEnded(operation: HttpServerOperation): void {
  for (const { listener, guard } of subscriptions) {
    try {
      listener.responseEnded?.(operation);
    } catch (error) {
      guard.failed(error);
    }
  }
}

export function cacheLooked(lookup: CacheLookup): void {
  for (const { listener, guard } of lookupSubscriptions) {
    try {
      listener.cacheLooked?.(lookup);
    } catch (error) {
      guard.failed(error);
    }
  }
}

export function keyUsed(
  cache: string,
  key: string | undefined,
  use: KeyUse,
  keys: number,
  request: Request | undefined,
  operation: DatabaseOperation | undefined,
): void {
  for (const { listener, guard } of keySubscriptions) {
    try {
      listener.keyUsed?.(cache, key, use, keys, request, operation);
    } catch (error) {
      guard.failed(error);
    }
  }
}

export function poolTimed(pool: Pool, what: PoolTiming, ms: number): void {
  for (const { listener, guard } of timingSubscriptions) {
    try {
      listener.poolTimed?.(pool, what, ms);
    } catch (error) {
      guard.failed(error);
    }
  }
}

export function poolTimedOut(pool: Pool, waiter: Waiter | undefined): void {
  for (const { listener, guard } of subscriptions) {
    try {
      listener.poolTimedOut?.(pool, waiter);
    } catch (error) {
      guard.failed(error);
    }
  }
}

export function poolWaited(pool: Pool, waiter: Waiter, nowMs: number): void {
  for (const { listener, guard } of waitSubscriptions) {
    try {
      listener.poolWaited?.(pool, waiter, nowMs);
    } catch (error) {
      guard.failed(error);
    }
  }
}

export function poolReturned(pool: Pool, loan: Loan, nowMs: number): void {
  for (const { listener, guard } of returnSubscriptions) {
    try {
      listener.poolReturned?.(pool, loan, nowMs);
    } catch (error) {
      guard.failed(error);
    }
  }
}

/** `operation` is what the finding is about: its span says so, if it has one that has not ended. */
export function findingMade(finding: Finding, operation?: Operation): void {
  for (const { listener, guard } of subscriptions) {
    try {
      listener.findingMade?.(finding, operation);
    } catch (error) {
      guard.failed(error);
    }
  }
}

export function findingTold(finding: FindingRecord): void {
  for (const { listener, guard } of subscriptions) {
    try {
      listener.findingTold?.(finding);
    } catch (error) {
      guard.failed(error);
    }
  }
}

import type { CacheLookup } from "./cache.js";
import type { Finding } from "./finding.js";
import { createGuard, type Guard } from "./guard.js";
import type { Operation } from "./operation.js";
import type { Pool, PoolTiming } from "./pool.js";

/**
 * Who wants to hear what the instrumentations report. Every event is delivered synchronously, in the order in which the
 * listeners were added; what a listener throws is caught, counted and switches that listener off.
 */
export interface Listener {
  /** Names the listener where one of its failures is reported. */
  readonly name: string;
  operationStarted?(operation: Operation): void;
  operationEnded?(operation: Operation): void;
  cacheLooked?(lookup: CacheLookup): void;
  poolTimed?(pool: Pool, what: PoolTiming, ms: number): void;
  poolTimedOut?(pool: Pool): void;
  findingMade?(finding: Finding): void;
}

interface Subscription {
  readonly listener: Listener;
  readonly guard: Guard;
}

let subscriptions: readonly Subscription[] = [];
/** Of them, those who hear operations start, and end. */
let startSubscriptions: readonly Subscription[] = [];
let endSubscriptions: readonly Subscription[] = [];
let nextSlot = 0;

/** Adds a listener at the end of the line; the result removes it. */
export function addListener(listener: Listener): () => void {
  const subscription = { listener, guard: createGuard(listener.name, () => remove(subscription)) };
  subscribe([...subscriptions, subscription]);
  return () => remove(subscription);
}

function remove(subscription: Subscription): void {
  subscribe(subscriptions.filter((other) => other !== subscription));
}

function subscribe(all: readonly Subscription[]): void {
  subscriptions = all;
  startSubscriptions = all.filter(({ listener }) => listener.operationStarted !== undefined);
  endSubscriptions = all.filter(({ listener }) => listener.operationEnded !== undefined);
}

/** False while nobody listens: instrumentations then pass calls straight through. */
export function hasListeners(): boolean {
  return subscriptions.length > 0;
}

/** An index into the `slots` of templates and requests that no other listener uses; taken once, at module load. */
export function listenerSlot(): number {
  return nextSlot++;
}

// One loop per event, written out: these are the hottest lines of the product, and a shared loop over method names would
// make every call site megamorphic and allocate its arguments.

export function operationStarted(operation: Operation): void {
  for (const { listener, guard } of startSubscriptions) {
    try {
      listener.operationStarted?.(operation);
    } catch (error) {
      guard.failed(error);
    }
  }
}

export function operationEnded(operation: Operation): void {
  for (const { listener, guard } of endSubscriptions) {
    try {
      listener.operationEnded?.(operation);
    } catch (error) {
      guard.failed(error);
    }
  }
}

export function cacheLooked(lookup: CacheLookup): void {
  for (const { listener, guard } of subscriptions) {
    try {
      listener.cacheLooked?.(lookup);
    } catch (error) {
      guard.failed(error);
    }
  }
}

export function poolTimed(pool: Pool, what: PoolTiming, ms: number): void {
  for (const { listener, guard } of subscriptions) {
    try {
      listener.poolTimed?.(pool, what, ms);
    } catch (error) {
      guard.failed(error);
    }
  }
}

export function poolTimedOut(pool: Pool): void {
  for (const { listener, guard } of subscriptions) {
    try {
      listener.poolTimedOut?.(pool);
    } catch (error) {
      guard.failed(error);
    }
  }
}

export function findingMade(finding: Finding): void {
  for (const { listener, guard } of subscriptions) {
    try {
      listener.findingMade?.(finding);
    } catch (error) {
      guard.failed(error);
    }
  }
}

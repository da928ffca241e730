import { performance } from "node:perf_hooks";
import {
  annotateOperation,
  createGuard,
  type DatabaseOperation,
  findingMade,
  type HttpServerOperation,
  type KeyUse,
  type Listener,
  requestSlot,
  type Request,
  startTimer,
  stopTimer,
  wantSite,
} from "@telltale/core";
import { lowRatioFinding, missesFinding, neverReadFinding, sameKeyFinding, stampedeFinding } from "./finding.js";
import { type KeyPattern, KeyPatterns } from "./patterns.js";
import { closeWindow } from "./window.js";
import { CacheRequest, FollowedKeys, type Missed, Rereads, type UsedKey } from "./request.js";
import { type SharedWork, Stampedes } from "./stampede.js";
import { MissedBefore } from "./missed-before.js";
import { createOncePerCause } from "../findings/once-per-cause.js";
import type { InsightsOptions } from "../options.js";

/** From one look at what is over to the next, in ms. */
const PERIOD_MS = 1_000;
/** The same work, done by many for nothing, must have taken this long together, in ms. */
const MIN_STAMPEDE_MS = 20;
/** Queries for what was missed that make a request slow: in ms, and as a share of it … */
const MIN_QUERY_MS = 100;
const MIN_QUERY_SHARE = 0.5;
/** … in so many requests. */
const MIN_SLOW_REQUESTS = 3;

/** Follows what becomes of the keys of caches. */
interface CacheFinder extends Required<Pick<Listener, "keyUsed" | "added" | "removed">> {
  began(operation: DatabaseOperation): void;
  ended(operation: DatabaseOperation): void;
  /** Decides, when the request has ended; the result tells of whose calls it was said that they ask for one key again and again. */
  requestEnded(served: HttpServerOperation, request: Request): string | undefined;
}

export function createCacheFinder(options: InsightsOptions): CacheFinder {
  const { minCount = 5, minTotalMs = 20, minShare = 0.2, ignoreRoutes = [] } = options.nPlusOne ?? {};
  const {
    minHitRatio = 0.5,
    minLookups = 500,
    windowMs = 60_000,
    minMisses = 10,
    minStampede = 5,
    minWrites = 1_000,
    neverReadMs = 600_000,
    ignoreCaches = [],
  } = options.cacheFindings ?? {};
  const ignored = { caches: new Set(ignoreCaches), routes: new Set(ignoreRoutes) };
  const slot = requestSlot();
  const guard = createGuard("cache findings");
  const causes = createOncePerCause();
  const patterns = new KeyPatterns();
  const followed = new FollowedKeys();
  const missedBefore = new MissedBefore();
  const stampedes = new Stampedes(minStampede === 0 ? Number.POSITIVE_INFINITY : minStampede, tellStampede);
  let windowSinceMs = 0;
  let timer: NodeJS.Timeout | undefined;
  /** The call that a key was last asked for with, which ends next. */
  let latest: DatabaseOperation | undefined;
  let latestKey: UsedKey | undefined;

  function requestOf(request: Request): CacheRequest {
    const known = request.slots[slot] as CacheRequest | undefined;
    if (known !== undefined) return known;
    const created = new CacheRequest();
    request.slots[slot] = created;
    return created;
  }

  function looked(
    pattern: KeyPattern,
    keys: number,
    isMiss: boolean,
    hasKey: boolean,
    request: Request | undefined,
    operation: DatabaseOperation | undefined,
  ): void {
    const { keyHash } = patterns;
    pattern.reads += keys;
    if (isMiss) pattern.misses += keys;
    else pattern.hits += keys;
    if (isMiss && hasKey) {
      pattern.keyed++;
      if (missedBefore.add(keyHash)) pattern.again++;
    }
    pattern.template ??= operation?.template;
    if (request === undefined || request.operation.endMs !== 0) {
      if (isMiss) tellUntold(pattern, operation, undefined);
      return;
    }
    // What is in memory may be read often: only misses are followed.
    if (!isMiss && operation === undefined) return;
    const cache = requestOf(request);
    const key = hasKey ? cache.keyOf(pattern, keyHash, followed) : undefined;
    if (key !== undefined) {
      key.reads += keys;
      key.template ??= operation?.template;
      if (key.reads > 1 && operation !== undefined && operation !== latest) {
        latest = operation;
        latestKey = key;
      }
    }
    if (!isMiss) return;
    if (cache.missed === undefined) pattern.missing++;
    cache.miss(pattern, key, keys);
    tellUntold(pattern, operation, request);
  }

  function tellUntold(
    pattern: KeyPattern,
    operation: DatabaseOperation | undefined,
    request: Request | undefined,
  ): void {
    const { untold } = pattern;
    if (untold === undefined) return;
    pattern.untold = undefined;
    const count = causes.timesToTell(`cache_low_hit_ratio\n${pattern.text}`, performance.now());
    if (count === 0) return;
    findingMade(lowRatioFinding(pattern, untold, minHitRatio, operation?.template, request, count), request?.operation);
    if (operation !== undefined) wantSite(operation.template);
  }

  function tellStampede(work: SharedWork): void {
    const { pattern, totalMs, template } = work;
    if (pattern === undefined || totalMs < MIN_STAMPEDE_MS || ignored.caches.has(pattern.cache)) return;
    const count = causes.timesToTell(`cache_stampede\n${pattern.text}\n${template.fingerprint}`, performance.now());
    if (count === 0) return;
    findingMade(stampedeFinding(work, pattern, count));
    wantSite(template);
  }

  function tellSameKey(key: UsedKey, again: Rereads, served: HttpServerOperation, request: Request): void {
    annotateOperation(served, "telltale.finding.count", key.reads);
    findingMade(sameKeyFinding(key, again, request), served);
    if (key.template !== undefined) wantSite(key.template);
  }

  /** A request that is slow for its misses, of a cache that is else as it should be; where one query ran many times, that is told already. */
  function lookAtMisses(missed: Missed, served: HttpServerOperation, request: Request): void {
    const { pattern, keys, queryMs, queryVotes } = missed;
    if (pattern === undefined || minMisses === 0 || keys < minMisses || queryMs < MIN_QUERY_MS) return;
    if (queryMs < MIN_QUERY_SHARE * (served.endMs - served.startMs) || queryVotes >= minCount) return;
    if (!(pattern.ratio >= minHitRatio) || ignored.caches.has(pattern.cache)) return;
    pattern.slowRequests++;
    if (pattern.slowRequests + pattern.slowRequestsBefore < MIN_SLOW_REQUESTS) return;
    const count = causes.timesToTell(`one_request\n${pattern.text}\n${request.route}`, served.endMs);
    if (count === 0) return;
    annotateOperation(served, "telltale.cache.misses", keys);
    findingMade(missesFinding(pattern, missed, request, count), served);
  }

  function lookAtUnread(pattern: KeyPattern, nowMs: number): void {
    if (neverReadMs === 0 || pattern.reads > 0 || pattern.writes < minWrites) return;
    const sinceMs = nowMs - pattern.writtenMs;
    if (sinceMs < neverReadMs || ignored.caches.has(pattern.cache)) return;
    if (pattern.toldUnreadMs !== 0 && nowMs - pattern.toldUnreadMs < neverReadMs) return;
    pattern.toldUnreadMs = nowMs;
    findingMade(neverReadFinding(pattern, sinceMs));
  }

  function look(): void {
    try {
      const nowMs = performance.now();
      stampedes.look(nowMs);
      if (nowMs - windowSinceMs >= windowMs) {
        windowSinceMs = nowMs;
        missedBefore.age();
        for (const pattern of patterns.all()) {
          lookAtUnread(pattern, nowMs);
          const window = closeWindow(pattern, nowMs, windowMs, minLookups);
          if (window === undefined || ignored.caches.has(pattern.cache)) continue;
          if (window.isSettled && window.ratio < minHitRatio && window.ratioBefore < minHitRatio)
            pattern.untold = window;
        }
        patterns.makeRoom();
      }
    } catch (error) {
      guard.failed(error);
    }
    if (guard.on) start();
  }

  function start(): void {
    timer = startTimer(look, Math.min(PERIOD_MS, windowMs / 4));
    timer.unref();
  }

  return {
    added() {
      windowSinceMs = performance.now();
      start();
    },
    removed: () => stopTimer(timer),
    keyUsed(cache: string, key: string | undefined, use: KeyUse, keys: number, request, operation) {
      const pattern = patterns.of(cache, key);
      pattern.isIdle = false;
      if (use === "hit" || use === "miss") {
        looked(pattern, keys, use === "miss", key !== undefined, request, operation);
        return;
      }
      if (use === "use") {
        pattern.reads++;
        return;
      }
      pattern.fills++;
      if (pattern.writes++ === 0) pattern.writtenMs = performance.now();
      pattern.template ??= operation?.template;
      const known = request?.slots[slot] as CacheRequest | undefined;
      known?.wrote(pattern, patterns.keyHash);
    },
    began(operation) {
      const cache = operation.request?.slots[slot] as CacheRequest | undefined;
      if (cache?.missed !== undefined && cache.missed.open > 0 && cache.asksFor(operation.template))
        stampedes.began(operation, cache);
    },
    ended(operation) {
      const cache = operation.request?.slots[slot] as CacheRequest | undefined;
      if (cache === undefined) return;
      if (cache.missed !== undefined) stampedes.ended(operation, cache);
      if (operation === latest) {
        if (latestKey !== undefined) (latestKey.again ??= new Rereads()).add(operation, cache.lastEndMs);
        latest = undefined;
        latestKey = undefined;
        cache.lastEndMs = operation.endMs;
      } else if (cache.lastEndMs > 0) cache.lastEndMs = operation.endMs;
    },
    requestEnded(served, request) {
      const cache = request.slots[slot] as CacheRequest | undefined;
      if (cache === undefined) return undefined;
      request.slots[slot] = undefined;
      cache.ended(followed);
      if (request.route !== undefined && ignored.routes.has(request.route)) return undefined;
      if (cache.missed !== undefined) lookAtMisses(cache.missed, served, request);
      const key = mostReread(cache, minCount);
      if (key?.again === undefined || ignored.caches.has(key.pattern.cache)) return undefined;
      const { busyMs } = key.again;
      if (busyMs < minTotalMs && busyMs < minShare * (served.endMs - served.startMs)) return undefined;
      tellSameKey(key, key.again, served, request);
      return key.template?.fingerprint;
    },
  };
}

/** Of the keys that were read many times, the one that took longest. One read after a pause each time is waited for to change. */
function mostReread({ keys }: CacheRequest, least: number): UsedKey | undefined {
  let most: UsedKey | undefined;
  for (let key = keys; key !== undefined; key = key.next) {
    const { reads, again } = key;
    if (again === undefined || reads < least || again.paused > reads / 2) continue;
    if (most?.again === undefined || again.busyMs > most.again.busyMs) most = key;
  }
  return most;
}

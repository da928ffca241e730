import { type DatabaseOperation, type DatabaseTemplate, limitOf } from "@telltale/core";
import type { KeyPattern } from "./cache-patterns.js";
import type { SharedWork } from "./cache-stampede.js";

/** Keys told apart in a request, which bounds the time to find one again, and in all requests that run: 100 bytes each. */
const MAX_KEYS = 32;
const MAX_FOLLOWED = 100_000;
const unfollowed = limitOf("request.cache_keys");
const beyond = limitOf("requests.cache_keys");
/** A call so long after anything else of its request waits for something to come. In ms. */
const PAUSE_MS = 10;
/** Queries for what was missed that are compared with those of other requests. */
const MAX_WORKS = 8;

/** One key in one request, by its hash. */
export class UsedKey {
  readonly pattern: KeyPattern;
  readonly hash: number;
  readonly next: UsedKey | undefined;
  /** Since the request wrote it last … */
  reads = 0;
  /** … and of these, those after a pause of the request. */
  paused = 0;
  /** It was missed, and the request has not written it since. */
  isOpen = false;
  /** Of the call that looked it up; what is asked of another system next, is what it stood for. */
  template: DatabaseTemplate | undefined = undefined;
  /** Time in which at least one call for it ran. */
  busyMs = 0;
  busyUntilMs = 0;

  constructor(pattern: KeyPattern, hash: number, next: UsedKey | undefined) {
    this.pattern = pattern;
    this.hash = hash;
    this.next = next;
  }

  /** Whether a query of another system may be for it. */
  isOpenBeside(system: string): boolean {
    return this.isOpen && this.template?.system !== system;
  }

  /** With a call that began after its request had waited for something else. */
  ran(operation: DatabaseOperation, quietSinceMs: number): void {
    if (this.busyUntilMs > 0 && operation.startMs - quietSinceMs >= PAUSE_MS) this.paused++;
    const fromMs = Math.max(operation.startMs + operation.waitMs, this.busyUntilMs);
    this.busyMs += Math.max(0, operation.endMs - fromMs);
    this.busyUntilMs = Math.max(this.busyUntilMs, operation.endMs);
  }
}

/** Keys of all requests that run. */
export class FollowedKeys {
  total = 0;
}

/** What a request did with caches. */
export class CacheRequest {
  keys: UsedKey | undefined = undefined;
  private size = 0;
  private readonly followed: FollowedKeys;
  /** Keys that are open. */
  open = 0;
  misses = 0;
  /** When the last of its calls ended, in ms. */
  lastEndMs = 0;
  /** The pattern that most of its misses are of, by a vote that a majority wins. */
  missed: KeyPattern | undefined = undefined;
  private missedVotes = 0;
  /** Time in which queries ran for what was missed, and the shape of most of them with its votes. */
  queryMs = 0;
  private queryUntilMs = 0;
  query: DatabaseTemplate | undefined = undefined;
  queryVotes = 0;
  /** What it does, maybe together with others, for what it has missed. */
  private works: SharedWork[] | undefined = undefined;

  constructor(followed: FollowedKeys) {
    this.followed = followed;
  }

  ended(): void {
    this.followed.total -= this.size;
  }

  /** Undefined for a key that is one too many. */
  keyOf(pattern: KeyPattern, hash: number): UsedKey | undefined {
    let key = this.keys;
    while (key !== undefined && (key.hash !== hash || key.pattern !== pattern)) key = key.next;
    if (key !== undefined) return key;
    if (this.size >= MAX_KEYS || this.followed.total >= MAX_FOLLOWED) {
      (this.size >= MAX_KEYS ? unfollowed : beyond).total += 1;
      return undefined;
    }
    this.size++;
    this.followed.total++;
    return (this.keys = new UsedKey(pattern, hash, this.keys));
  }

  miss(pattern: KeyPattern, key: UsedKey | undefined, count: number): void {
    this.misses += count;
    if (pattern === this.missed) this.missedVotes += count;
    else if ((this.missedVotes -= count) <= 0) {
      this.missed = pattern;
      this.missedVotes = count;
    }
    if (key === undefined || key.isOpen) return;
    key.isOpen = true;
    this.open++;
  }

  wrote(pattern: KeyPattern, hash: number): void {
    let key = this.keys;
    while (key !== undefined && (key.hash !== hash || key.pattern !== pattern)) key = key.next;
    if (key === undefined) return;
    key.reads = 0;
    key.paused = 0;
    if (!key.isOpen) return;
    key.isOpen = false;
    this.open--;
    for (const work of this.works ?? []) work.filled(key);
  }

  /** False for what it does already, or for one thing too many. */
  takesPartIn(work: SharedWork): boolean {
    this.works ??= [];
    if (this.works.includes(work) || this.works.length >= MAX_WORKS) return false;
    this.works.push(work);
    return true;
  }

  /** Whether a query that begins now may be for something that was missed: not one of the cache itself. */
  asksFor({ effect, system }: DatabaseTemplate): boolean {
    if (effect !== "read") return false;
    for (let key = this.keys; key !== undefined; key = key.next) if (key.isOpenBeside(system)) return true;
    return false;
  }

  queried(operation: DatabaseOperation): void {
    const fromMs = Math.max(operation.startMs, this.queryUntilMs);
    this.queryMs += Math.max(0, operation.endMs - fromMs);
    this.queryUntilMs = Math.max(this.queryUntilMs, operation.endMs);
    if (operation.template === this.query) this.queryVotes++;
    else if (--this.queryVotes <= 0) {
      this.query = operation.template;
      this.queryVotes = 1;
    }
  }
}

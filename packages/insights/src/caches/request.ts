import { type DatabaseOperation, type DatabaseTemplate, limitOf } from "@telltale/core";
import type { KeyPattern } from "./patterns.js";
import type { SharedWork } from "./stampede.js";

/** Keys told apart in a request, which bounds the time to find one again, and in all requests that run: 100 bytes each. */
const MAX_KEYS = 32;
const MAX_FOLLOWED = 100_000;
/** Queries for what was missed that are followed in one request. */
const MAX_QUERIES = 8;
const unfollowed = limitOf("request.cache_keys");
const beyond = limitOf("requests.cache_keys");
/** A call so long after anything else of its request waits for something to come. In ms. */
const PAUSE_MS = 10;

/** One key in one request, by its hash. */
export class UsedKey {
  readonly pattern: KeyPattern;
  readonly hash: number;
  readonly next: UsedKey | undefined;
  /** Since the request wrote it last. */
  reads = 0;
  /** It was missed, and the request has not written it since. */
  isOpen = false;
  /** Of the call that looked it up; what is asked of another system next, is what it stood for. */
  template: DatabaseTemplate | undefined = undefined;
  again: Rereads | undefined = undefined;

  constructor(pattern: KeyPattern, hash: number, next: UsedKey | undefined) {
    this.pattern = pattern;
    this.hash = hash;
    this.next = next;
  }

  /** Whether a query of another system may be for it. */
  isOpenBeside(system: string): boolean {
    return this.isOpen && this.template?.system !== system;
  }
}

/** The reads of a key but for the first, which had to be. */
export class Rereads {
  /** Time in which at least one call ran, in ms. */
  busyMs = 0;
  private busyUntilMs = 0;
  /** Those after a pause of the request. */
  paused = 0;

  add(operation: DatabaseOperation, quietSinceMs: number): void {
    if (quietSinceMs > 0 && operation.startMs - quietSinceMs >= PAUSE_MS) this.paused++;
    const fromMs = Math.max(operation.startMs + operation.waitMs, this.busyUntilMs);
    this.busyMs += Math.max(0, operation.endMs - fromMs);
    this.busyUntilMs = Math.max(this.busyUntilMs, operation.endMs);
  }
}

/** A query for what was missed that has not ended; `work` where it may be that of others too. */
class Running {
  readonly operation: DatabaseOperation;
  readonly work: SharedWork | undefined;
  next: Running | undefined;

  constructor(operation: DatabaseOperation, work: SharedWork | undefined, next: Running | undefined) {
    this.operation = operation;
    this.work = work;
    this.next = next;
  }
}

/** What a request has missed, and asked others for. */
export class Missed {
  keys = 0;
  /** Keys that are open. */
  open = 0;
  /** The pattern that most of its misses are of, by a vote that a majority wins. */
  pattern: KeyPattern | undefined = undefined;
  private votes = 0;
  /** Time in which queries ran for what was missed, and the shape of most of them with its votes. */
  queryMs = 0;
  private queryUntilMs = 0;
  query: DatabaseTemplate | undefined = undefined;
  queryVotes = 0;
  private running: Running | undefined = undefined;
  /** What it takes part in; most requests have one such query. */
  private work: SharedWork | undefined = undefined;
  private works: SharedWork[] | undefined = undefined;

  add(pattern: KeyPattern, keys: number): void {
    this.keys += keys;
    if (pattern === this.pattern) {
      this.votes += keys;
      return;
    }
    this.votes -= keys;
    if (this.votes > 0) return;
    this.pattern = pattern;
    this.votes = keys;
  }

  began(operation: DatabaseOperation, work: SharedWork | undefined): void {
    this.running = new Running(operation, work, this.running);
  }

  /** The work that the query was; undefined for its own alone, and for a query that is not followed. */
  ended(operation: DatabaseOperation): SharedWork | undefined {
    let before: Running | undefined;
    let running = this.running;
    while (running !== undefined && running.operation !== operation) {
      before = running;
      running = running.next;
    }
    if (running === undefined) return undefined;
    if (before === undefined) this.running = running.next;
    else before.next = running.next;
    const fromMs = Math.max(operation.startMs, this.queryUntilMs);
    this.queryMs += Math.max(0, operation.endMs - fromMs);
    this.queryUntilMs = Math.max(this.queryUntilMs, operation.endMs);
    if (operation.template === this.query) this.queryVotes++;
    else if (--this.queryVotes <= 0) {
      this.query = operation.template;
      this.queryVotes = 1;
    }
    return running.work;
  }

  /** False for what it does already, or for one thing too many. */
  takesPartIn(work: SharedWork): boolean {
    if (this.work === undefined) {
      this.work = work;
      return true;
    }
    if (this.work === work) return false;
    const works = (this.works ??= []);
    if (works.length >= MAX_QUERIES || works.includes(work)) return false;
    works.push(work);
    return true;
  }

  filled(key: UsedKey): void {
    this.work?.filled(key);
    if (this.works !== undefined) for (const work of this.works) work.filled(key);
  }

  /** What has not ended with the request is waited for by nobody. */
  giveUp(): void {
    for (let one = this.running; one !== undefined; one = one.next) if (one.work !== undefined) one.work.running--;
  }
}

/** Keys of all requests that run. */
export class FollowedKeys {
  total = 0;
}

/** What a request did with caches. */
export class CacheRequest {
  keys: UsedKey | undefined = undefined;
  missed: Missed | undefined = undefined;
  /** When the last of its calls ended, in ms; 0 until a key comes again. */
  lastEndMs = 0;
  private size = 0;

  find(pattern: KeyPattern, hash: number): UsedKey | undefined {
    let key = this.keys;
    while (key !== undefined && (key.hash !== hash || key.pattern !== pattern)) key = key.next;
    return key;
  }

  /** Undefined for a key that is one too many. */
  keyOf(pattern: KeyPattern, hash: number, followed: FollowedKeys): UsedKey | undefined {
    const key = this.find(pattern, hash);
    if (key !== undefined) return key;
    if (this.size >= MAX_KEYS || followed.total >= MAX_FOLLOWED) {
      (this.size >= MAX_KEYS ? unfollowed : beyond).total += 1;
      return undefined;
    }
    this.size++;
    followed.total++;
    return (this.keys = new UsedKey(pattern, hash, this.keys));
  }

  miss(pattern: KeyPattern, key: UsedKey | undefined, count: number): void {
    const missed = (this.missed ??= new Missed());
    missed.add(pattern, count);
    if (key === undefined || key.isOpen) return;
    key.isOpen = true;
    missed.open++;
  }

  wrote(pattern: KeyPattern, hash: number): void {
    const key = this.find(pattern, hash);
    if (key === undefined) return;
    key.reads = 0;
    key.again = undefined;
    if (!key.isOpen || this.missed === undefined) return;
    key.isOpen = false;
    this.missed.open--;
    this.missed.filled(key);
  }

  /** Whether a query that begins now may be for something that was missed: not one of the cache itself. */
  asksFor({ effect, system }: DatabaseTemplate): boolean {
    if (effect !== "read") return false;
    for (let key = this.keys; key !== undefined; key = key.next) if (key.isOpenBeside(system)) return true;
    return false;
  }

  ended(followed: FollowedKeys): void {
    followed.total -= this.size;
    this.missed?.giveUp();
  }
}

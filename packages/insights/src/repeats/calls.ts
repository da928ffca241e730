import {
  type DatabaseOperation,
  type HttpClientOperation,
  limitOf,
  type SiteHolder,
  siteKeyOf,
  type TakenSite,
} from "@telltale/core";
import type { Subject } from "./subject.js";

/** Subjects followed per request, and in all requests together (some 200 bytes each). What comes beyond is counted, not followed. */
const MAX_SUBJECTS = 500;
export const MAX_FOLLOWED = 100_000;
const unfollowed = limitOf("request.query_shapes");
const beyond = limitOf("requests.query_shapes");
/** A call so long after anything else of its request was waited for: it is one of a series with pauses. In ms. */
const PAUSE_MS = 10;

/** How often each value came, for as many as it takes to decide. */
export class Tally {
  size = 0;
  private first: Counted | undefined = undefined;

  /** Values beyond `most` are not told apart: there is nothing left to decide. */
  add(hash: number, most: number): void {
    for (let one = this.first; one !== undefined; one = one.next) {
      if (one.hash !== hash) continue;
      one.count++;
      return;
    }
    if (this.size >= most) return;
    this.first = new Counted(hash, this.first);
    this.size++;
  }

  /** How often the one came that came most. */
  most(): number {
    let most = 0;
    for (let one = this.first; one !== undefined; one = one.next) most = Math.max(most, one.count);
    return most;
  }
}

class Counted {
  readonly hash: number;
  readonly next: Counted | undefined;
  count = 1;

  constructor(hash: number, next: Counted | undefined) {
    this.hash = hash;
    this.next = next;
  }
}

/** What is known of calls from the second one on. */
export class Repetition {
  count = 1;
  readonly secondStartMs: number;
  /** Time in which at least one of them ran, waits for a connection left out: parallel calls are not added up. */
  busyMs: number;
  busyUntilMs: number;
  waitMs: number;
  /** Calls made before an earlier one had ended … */
  overlaps = 0;
  /** … and after a pause of their request. */
  paused = 0;
  rows: number;
  lastRows = 0;
  /** Different values … */
  readonly values = new Tally();
  /** … but for bounds of a page; the same where there are none. */
  readonly keys: Tally;

  constructor({ subject, hash, keyHash, startMs, endMs, waitMs, rows }: Calls, secondStartMs: number, most: number) {
    this.secondStartMs = secondStartMs;
    this.busyMs = endMs - startMs - waitMs;
    this.busyUntilMs = endMs;
    this.waitMs = waitMs;
    this.rows = rows;
    this.keys = subject.paging === undefined ? this.values : new Tally();
    this.addValues(hash, keyHash, most);
  }

  addCall(startMs: number, waitMs: number, endMs: number, rows: number, quietSinceMs: number): void {
    this.count++;
    if (startMs < this.busyUntilMs) this.overlaps++;
    else if (startMs - quietSinceMs >= PAUSE_MS) this.paused++;
    this.busyMs += Math.max(0, endMs - Math.max(startMs + waitMs, this.busyUntilMs));
    this.busyUntilMs = Math.max(this.busyUntilMs, endMs);
    this.waitMs += waitMs;
    this.rows += rows;
    this.lastRows = rows;
  }

  addValues(hash: number, keyHash: number, most: number): void {
    this.values.add(hash, most);
    if (this.keys !== this.values) this.keys.add(keyHash, most);
  }
}

/**
 * The calls of one subject in one request, in a list: most requests have a few, and a Map for each request cost more than all the rest
 * here. Most subjects have one call, of which as little is kept as will do.
 */
export class Calls {
  readonly subject: Subject;
  readonly holder: SiteHolder;
  readonly next: Calls | undefined;
  /** Of the first call: what its other values are compared with. */
  readonly text: string | undefined;
  readonly hash: number;
  readonly keyHash: number;
  readonly startMs: number;
  readonly endMs: number;
  readonly waitMs: number;
  readonly rows: number;
  readonly isLookup: boolean;
  /** Of the last call that has one. */
  site: TakenSite | undefined;
  again: Repetition | undefined = undefined;

  constructor(
    subject: Subject,
    operation: DatabaseOperation | HttpClientOperation,
    next: Calls | undefined,
    text: string | undefined,
    hash: number,
    keyHash: number,
  ) {
    const isQuery = operation.kind === "database";
    this.subject = subject;
    this.holder = isQuery ? operation.template : siteKeyOf(operation);
    this.next = next;
    this.text = text;
    this.hash = hash;
    this.keyHash = keyHash;
    this.startMs = operation.startMs;
    this.endMs = operation.endMs;
    this.waitMs = isQuery ? operation.waitMs : 0;
    this.rows = isQuery ? (operation.rows ?? 0) : 0;
    this.isLookup = isQuery && operation.cacheHits + operation.cacheMisses > 0;
    this.site = operation.takenSite;
  }
}

/** What one request has asked. */
export class RequestCalls {
  first: Calls | undefined = undefined;
  size = 0;
  /** Queries that failed: what was asked before them may be asked again. */
  failures = 0;
  isMigration = false;
  /** The first request that it has sent: read when there is a second one, as to read a URL takes 2 µs, and most requests send one. */
  firstSent: HttpClientOperation | undefined = undefined;
  hasReadSent = false;
  /** When the last of its operations ended, in ms. */
  lastEndMs = 0;

  find(subject: Subject): Calls | undefined {
    let calls = this.first;
    while (calls !== undefined && calls.subject !== subject) calls = calls.next;
    return calls;
  }
}

/** How many subjects are followed in all requests that run. */
export class Followed {
  total = 0;

  /** Whether one more may be. */
  hasRoom({ size }: RequestCalls): boolean {
    if (size >= MAX_SUBJECTS) unfollowed.total += 1;
    else if (this.total >= MAX_FOLLOWED) beyond.total += 1;
    else return true;
    return false;
  }
}

import {
  annotateOperation,
  type DatabaseOperation,
  findingMade,
  type HttpClientOperation,
  type HttpServerOperation,
  requestSlot,
  type Request,
} from "@telltale/core";
import type { InsightsOptions } from "../options.js";
import { isKeyValue } from "../findings/describe.js";
import { bindsOneKey, hashCall, hashOthers, hashParameters } from "../parameters.js";
import { Calls, Followed, Repetition, RequestCalls } from "./calls.js";
import { repeatFinding, type RepeatKind } from "./finding.js";
import { type Paging, readsInParts, withoutBounds } from "./paging.js";
import { LoopSites } from "./sites.js";
import { findSource } from "./source.js";
import { createSubjects, MIGRATION, NONE, type Subject } from "./subject.js";
import { readUrl } from "./url.js";

/** Follows what requests ask for. */
interface RepeatFinder {
  queried(operation: DatabaseOperation, request: Request): void;
  sent(operation: HttpClientOperation, request: Request): void;
  /** Decides, when the request has ended; of the calls of the shape `told` it is said already that they ask for one key. */
  requestEnded(operation: HttpServerOperation, request: Request, told: string | undefined): void;
}

/**
 * Finds what one request asks many times: one query shape, one family of keys, one route of another service; with differing values a loop,
 * with equal ones a duplicate. Only reads count, and no `IN (…)` chunks, which are the cure; but an array of one key, time and again, is
 * none. Pages, retries and polls are meant.
 */
export function createRepeatFinder(options: InsightsOptions): RepeatFinder {
  const {
    minCount = 5,
    minTotalMs = 20,
    minShare = 0.2,
    ignoreRoutes = [],
    ignoreFingerprints = [],
  } = options.nPlusOne ?? {};
  const ignoredRoutes = new Set(ignoreRoutes);
  const subjects = createSubjects(new Set(ignoreFingerprints));
  const slot = requestSlot();
  const followed = new Followed();
  const sites = new LoopSites();

  function callsOf(request: Request): RequestCalls {
    return (request.slots[slot] ??= new RequestCalls()) as RequestCalls;
  }

  function subjectOf({ template, text, parameters, errorType }: DatabaseOperation): Subject {
    const subject = subjects.ofQuery(template, text);
    // It will be tried again.
    if (errorType !== undefined) return NONE;
    return subject.batches === undefined || bindsOneKey(parameters) ? subject : subject.batches;
  }

  function follow(
    all: RequestCalls,
    operation: DatabaseOperation | HttpClientOperation,
    subject: Subject,
    text: string | undefined,
    hash: number,
    others: number,
  ): void {
    if (!followed.hasRoom(all)) return;
    followed.total++;
    all.size++;
    all.first = new Calls(subject, operation, all.first, text, hash, others);
  }

  /** One more of them. */
  function repeat(
    calls: Calls,
    all: RequestCalls,
    operation: DatabaseOperation | HttpClientOperation,
    hash: number,
    others: number,
  ): void {
    const { startMs, endMs } = operation;
    const isQuery = operation.kind === "database";
    const again = (calls.again ??= new Repetition(calls, startMs, minCount));
    const rows = isQuery ? (operation.rows ?? 0) : 0;
    again.addCall(startMs, isQuery ? operation.waitMs : 0, endMs, rows, all.lastEndMs);
    again.addValues(hash, others, minCount);
    if (operation.takenSite !== undefined) calls.site = operation.takenSite;
    if (again.count === 2) sites.arm(calls, operation.request);
    if (again.count >= minCount && calls.subject.mayRepeat)
      annotateOperation(operation, "telltale.repeat", again.count);
  }

  function addSent(operation: HttpClientOperation, all: RequestCalls): void {
    const { url } = operation;
    const read = readUrl(url);
    const subject = subjects.ofCall(operation, read);
    if (subject === NONE) return;
    const calls = all.find(subject);
    const hash = hashCall(url, 0);
    const others = hashCall(read.stem, 0);
    if (calls === undefined) follow(all, operation, subject, undefined, hash, others);
    else repeat(calls, all, operation, hash, others);
  }

  function decide(
    calls: Calls,
    repetition: Repetition,
    all: RequestCalls,
    served: HttpServerOperation,
    request: Request,
  ): void {
    const { subject } = calls;
    const { count, busyMs, values, keys, overlaps, paused, rows } = repetition;
    const requestMs = served.endMs - served.startMs;
    if (busyMs < minTotalMs && busyMs < minShare * requestMs) return;
    const isSame = values.size < minCount;
    if (isSame) {
      // To look up one key again and again is told of as that.
      if (calls.isLookup) return;
      const times = values.most() - all.failures;
      if (!subject.mayDouble || times < minCount || paused >= count - 1) return;
    } else {
      const { paging } = subject;
      if (keys.size < minCount && (paging === undefined || readsInParts(paging, rows, count))) return;
      // What a cache is sent in parallel, or in a pipeline, waits for one answer.
      if (isKeyValue(subject.template) && count - overlaps < minCount) return;
    }
    const kind = kindOf(subject, isSame);
    const source = isSame ? undefined : findSource(calls, repetition, all.first);
    const callSite = sites.find(calls, repetition, request)?.resolve();
    findingMade(repeatFinding({ kind, calls, repetition, isSame, source, callSite, served, request }), served);
  }

  return {
    queried(operation, request) {
      // What runs on after the response belongs to nobody's waiting time.
      if (request.operation.endMs !== 0) return;
      const { endMs, parameters, rows = 0 } = operation;
      const subject = subjectOf(operation);
      if (!subject.mayRepeat && rows < 2) {
        const all = request.slots[slot] as RequestCalls | undefined;
        if (all !== undefined) all.lastEndMs = endMs;
        if (operation.errorType !== undefined) callsOf(request).failures++;
        else if (subject === MIGRATION) callsOf(request).isMigration = true;
        return;
      }
      const all = callsOf(request);
      const calls = all.find(subject);
      if (subject.mayRepeat) {
        const { paging } = subject;
        const text = subject.hasLiterals ? operation.text : undefined;
        // Now, as the app may use its array of values again for the next call.
        const hash = hashParameters(parameters);
        const others = paging === undefined ? hash : hashOthers(parameters, paging.parameters);
        const isKept = text === undefined || text.length <= MAX_KEPT;
        if (calls === undefined && isKept) follow(all, operation, subject, text, hash, others);
        else if (calls !== undefined && text === calls.text) repeat(calls, all, operation, hash, others);
        else {
          const whole = hashCall(text, hash);
          const stem = hashStem(text, others, paging, calls);
          if (calls === undefined) follow(all, operation, subject, undefined, whole, stem);
          else repeat(calls, all, operation, whole, stem);
        }
      } else if (calls === undefined) follow(all, operation, subject, undefined, 0, 0);
      else repeat(calls, all, operation, 0, 0);
      all.lastEndMs = endMs;
    },
    sent(operation, request) {
      if (request.operation.endMs !== 0) return;
      const all = callsOf(request);
      if (isAnswered(operation)) {
        const { firstSent } = all;
        if (firstSent === undefined) all.firstSent = operation;
        else {
          if (!all.hasReadSent) addSent(firstSent, all);
          all.hasReadSent = true;
          addSent(operation, all);
        }
      }
      all.lastEndMs = operation.endMs;
    },
    requestEnded(served, request, told) {
      const all = request.slots[slot] as RequestCalls | undefined;
      if (all === undefined) return;
      request.slots[slot] = undefined;
      followed.total -= all.size;
      if (all.isMigration || (request.route !== undefined && ignoredRoutes.has(request.route))) return;
      for (let calls = all.first; calls !== undefined; calls = calls.next) {
        const { subject, again } = calls;
        if (told !== undefined && subject.template?.fingerprint === told) continue;
        if (again !== undefined && again.count >= minCount && subject.mayRepeat) {
          decide(calls, again, all, served, request);
        }
      }
    },
  };
}

function kindOf({ template }: Subject, isSame: boolean): RepeatKind {
  if (template === undefined) return "repeated_http_call";
  if (isSame) return "duplicate_query";
  return isKeyValue(template) ? "repeated_lookup" : "n_plus_one";
}

/** Longer texts are compared by their hashes, as they would be kept for as long as the request takes. */
const MAX_KEPT = 256;

/** The hash of a text without the bounds of its page, and of the values bound to it that are no such bounds. */
function hashStem(text: string | undefined, others: number, paging: Paging | undefined, first?: Calls): number {
  if (text === undefined) return others;
  if (paging === undefined) return hashCall(text, others);
  const stem = withoutBounds(text);
  return first?.text !== undefined && withoutBounds(first.text) === stem ? others : hashCall(stem, others);
}

/** Not an answer that says: try again. */
function isAnswered({ statusCode, errorType }: HttpClientOperation): boolean {
  if (errorType === undefined) return true;
  return statusCode >= 400 && statusCode < 500 && statusCode !== 408 && statusCode !== 425 && statusCode !== 429;
}

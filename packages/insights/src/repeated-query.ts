import {
  annotateOperation,
  type DatabaseOperation,
  type DatabaseTemplate,
  findingMade,
  type HttpServerOperation,
  limitOf,
  listenerSlot,
  type Request,
} from "@telltale/core";
import { endpointOf, formatMs, makeFinding, summaryOf } from "./describe.js";
import type { InsightsOptions } from "./options.js";
import { bindsOneKey, hashCall, hashParameters } from "./parameters.js";

/** Query shapes followed per request; what comes beyond is counted, not followed. */
const MAX_SHAPES = 500;
/** Different parameters told apart per shape and request: far more than it takes to call it an N+1. */
const MAX_PARAMETERS = 64;
const unfollowed = limitOf("request.query_shapes");
const undistinguished = limitOf("request.query_parameters");
const unshared = limitOf("query.shape_keys");

/**
 * One query shape in one request, in a list: most requests have a few, and a Map for each request cost more than all the rest here. Texts
 * are read only when there are enough calls to matter.
 */
class Repeats {
  readonly key: ShapeKey;
  readonly template: DatabaseTemplate;
  readonly next: Repeats | undefined;
  /** Shapes in the list from here on. */
  readonly size: number;
  count = 0;
  /** Time in which at least one of them ran, waits for a connection left out: parallel calls are not added up. */
  busyMs = 0;
  busyUntilMs = 0;
  waitMs = 0;
  first: Heard | undefined = undefined;
  /** How often each parameter hash came; undefined while there are few calls. */
  hashes: Map<number, number> | undefined = undefined;

  constructor(key: ShapeKey, template: DatabaseTemplate, next: Repeats | undefined) {
    this.key = key;
    this.template = template;
    this.next = next;
    this.size = next === undefined ? 1 : next.size + 1;
  }
}

/** One of the first calls of a shape. */
class Heard {
  readonly text: string | undefined;
  readonly parametersHash: number;
  readonly before: Heard | undefined;

  constructor(text: string | undefined, parametersHash: number, before: Heard | undefined) {
    this.text = text;
    this.parametersHash = parametersHash;
    this.before = before;
  }
}

/** Stands for a shape in a database, whatever pool or server it is sent to: compared by identity, as texts would be letter by letter. */
interface ShapeKey {
  readonly shape: string;
}

const NONE: ShapeKey = { shape: "" };
const MAX_KEYS = 5_000;
const keys = new Map<string, ShapeKey>();

function keyFor(shape: string): ShapeKey {
  const known = keys.get(shape);
  if (known !== undefined) return known;
  const key = { shape };
  // Beyond the bound a shape sent to two servers counts as two.
  if (keys.size < MAX_KEYS) keys.set(shape, key);
  else unshared.total += 1;
  return key;
}

function find(list: Repeats | undefined, key: ShapeKey): Repeats | undefined {
  let repeats = list;
  while (repeats !== undefined && repeats.key !== key) repeats = repeats.next;
  return repeats;
}

function addHash(hashes: Map<number, number>, text: string | undefined, parametersHash: number): void {
  const hash = hashCall(text, parametersHash);
  const before = hashes.get(hash);
  if (before !== undefined || hashes.size < MAX_PARAMETERS) hashes.set(hash, (before ?? 0) + 1);
  else undistinguished.total += 1;
}

/** Follows the queries of requests. */
interface RepeatFinder {
  heard(operation: DatabaseOperation, request: Request): void;
  /** Decides, when the request has ended. */
  requestEnded(operation: HttpServerOperation, request: Request): void;
}

/**
 * Finds one query shape many times in one request: with differing parameters an N+1, with equal ones a duplicate. Only reads
 * count, and no `IN (…)` chunks, which are the cure; but an array of one key, time and again, is none.
 */
export function createRepeatFinder(options: InsightsOptions): RepeatFinder {
  const {
    minCount = 5,
    minTotalMs = 20,
    minShare = 0.2,
    ignoreRoutes = [],
    ignoreFingerprints = [],
  } = options.nPlusOne ?? {};
  const ignored = { routes: new Set(ignoreRoutes), fingerprints: new Set(ignoreFingerprints) };
  const slot = listenerSlot();
  const keySlot = listenerSlot();

  /** By what calls of a shape are found again; `NONE` for a shape that cannot be an N+1 at all. Decided once per template. */
  function keyOf(template: DatabaseTemplate): ShapeKey {
    const known = template.slots[keySlot] as ShapeKey | undefined;
    if (known !== undefined) return known;
    const counts =
      template.effect === "read" &&
      template.fingerprint !== undefined &&
      !ignored.fingerprints.has(template.fingerprint) &&
      template.batch !== true;
    const key = counts ? keyFor(`${template.fingerprint}\n${template.namespace}`) : NONE;
    template.slots[keySlot] = key;
    return key;
  }

  function decide(
    repeats: Repeats,
    hashes: ReadonlyMap<number, number>,
    served: HttpServerOperation,
    request: Request,
  ): void {
    const { template, busyMs, waitMs } = repeats;
    const requestMs = served.endMs - served.startMs;
    if (busyMs < minTotalMs && busyMs < minShare * requestMs) return;
    const most = Math.max(...hashes.values());
    const kind = hashes.size >= minCount ? "n_plus_one" : most >= minCount ? "duplicate_query" : undefined;
    if (kind === undefined) return;
    const summary = summaryOf(template);
    const times = `${repeats.count} times (${formatMs(busyMs)} of ${formatMs(requestMs)})`;
    const title = `${endpointOf(request)} runs ${summary} ${times}${kind === "duplicate_query" ? " with the same parameters" : ""}`;
    annotateOperation(served, "telltale.finding.kind", kind);
    annotateOperation(served, "telltale.finding.query_summary", summary);
    annotateOperation(served, "telltale.finding.count", repeats.count);
    findingMade(
      makeFinding(
        {
          kind,
          title,
          advice: kind === "n_plus_one" ? cureLoop(template) : CURE_DUPLICATE,
          count: repeats.count,
          durationMs: busyMs,
          waitMs,
          againstMs: requestMs,
          reason: undefined,
        },
        template,
        request,
        served,
      ),
    );
  }

  return {
    heard(operation, request) {
      const { template } = operation;
      const key = keyOf(template);
      if (key !== NONE && template.batch === "array" && !bindsOneKey(operation.parameters)) return;
      // What runs on after the response belongs to nobody's waiting time.
      if (key === NONE || request.operation.endMs !== 0) return;
      const list = request.slots[slot] as Repeats | undefined;
      let repeats = find(list, key);
      if (repeats === undefined) {
        if (list !== undefined && list.size >= MAX_SHAPES) {
          unfollowed.total += 1;
          return;
        }
        request.slots[slot] = repeats = new Repeats(key, template, list);
      }
      repeats.count++;
      const fromMs = Math.max(operation.startMs + operation.waitMs, repeats.busyUntilMs);
      repeats.busyMs += Math.max(0, operation.endMs - fromMs);
      repeats.busyUntilMs = Math.max(repeats.busyUntilMs, operation.endMs);
      repeats.waitMs += operation.waitMs;
      const { text } = operation;
      // Now, as the app may use its array of values again for the next call.
      const hash = hashParameters(operation.parameters);
      if (repeats.count < minCount) {
        repeats.first = new Heard(text, hash, repeats.first);
        return;
      }
      annotateOperation(operation, "telltale.repeat", repeats.count);
      if (repeats.hashes === undefined) {
        repeats.hashes = new Map();
        for (let heard = repeats.first; heard !== undefined; heard = heard.before) {
          addHash(repeats.hashes, heard.text, heard.parametersHash);
        }
        repeats.first = undefined;
      }
      addHash(repeats.hashes, text, hash);
    },
    requestEnded(served, request) {
      let repeats = request.slots[slot] as Repeats | undefined;
      if (repeats === undefined) return;
      request.slots[slot] = undefined;
      if (request.route !== undefined && ignored.routes.has(request.route)) return;
      for (; repeats !== undefined; repeats = repeats.next) {
        if (repeats.hashes !== undefined) decide(repeats, repeats.hashes, served, request);
      }
    },
  };
}

const CURE_DUPLICATE =
  "Keep the first result for the rest of the request: pass it on, or load it through a per-request cache.";

function cureLoop({ system, collection }: DatabaseTemplate): string {
  if (system === "redis") return "Ask for all keys at once with MGET, or put the commands in one pipeline.";
  const table = collection === undefined ? "the rows" : `the rows of ${collection}`;
  return `Read ${table} for all keys in one query (WHERE key = ANY($1), or a JOIN in the query that feeds the loop), or load them through a DataLoader.`;
}

import {
  annotateOperation,
  count,
  type DatabaseOperation,
  type DatabaseTemplate,
  findingMade,
  type HttpServerOperation,
  listenerSlot,
  type Request,
} from "@telltale/core";
import { endpointOf, formatMs, makeFinding, summaryOf } from "./describe.js";
import type { InsightsOptions } from "./options.js";
import { hashParameters } from "./parameters.js";

/** Query shapes followed per request; what comes beyond is counted, not followed. */
const MAX_SHAPES = 500;
/** Different parameters told apart per shape and request: far more than it takes to call it an N+1. */
const MAX_PARAMETERS = 64;

/** One query shape in one request. */
interface Repeats {
  readonly template: DatabaseTemplate;
  count: number;
  /** Time in which at least one of them ran, waits for a connection left out: parallel calls are not added up. */
  busyMs: number;
  busyUntilMs: number;
  waitMs: number;
  /** How often each parameter hash came. */
  readonly parameters: Map<number, number>;
}

/** Follows the queries of requests. */
export interface RepeatFinder {
  heard(operation: DatabaseOperation, request: Request): void;
  /** Decides, when the request has ended. */
  requestEnded(operation: HttpServerOperation, request: Request): void;
}

/**
 * Finds one query shape many times in one request: with differing parameters an N+1, with equal ones a duplicate. Only reads
 * count, and no `IN (…)` chunks, which are the cure.
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
  const countsSlot = listenerSlot();

  /** Whether a shape can be an N+1 at all; decided once per template. */
  function counts(template: DatabaseTemplate): boolean {
    const known = template.slots[countsSlot] as boolean | undefined;
    if (known !== undefined) return known;
    const result =
      template.effect === "read" &&
      template.fingerprint !== undefined &&
      !ignored.fingerprints.has(template.fingerprint) &&
      template.batch !== true;
    template.slots[countsSlot] = result;
    return result;
  }

  function decide(repeats: Repeats, served: HttpServerOperation, request: Request): void {
    const { template, busyMs, waitMs, parameters } = repeats;
    const requestMs = served.endMs - served.startMs;
    if (repeats.count < minCount || (busyMs < minTotalMs && busyMs < minShare * requestMs)) return;
    const most = Math.max(...parameters.values());
    const kind = parameters.size >= minCount ? "n_plus_one" : most >= minCount ? "duplicate_query" : undefined;
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
      // What runs on after the response belongs to nobody's waiting time.
      if (!counts(template) || request.operation.endMs !== 0) return;
      const shapes = (request.slots[slot] ??= new Map<string, Repeats>()) as Map<string, Repeats>;
      const key = `${template.fingerprint}${template.namespace}`;
      let repeats = shapes.get(key);
      if (repeats === undefined) {
        if (shapes.size >= MAX_SHAPES) {
          count("telltale.labels.overflow", "telltale.label", "queries of a request");
          return;
        }
        repeats = { template, count: 0, busyMs: 0, busyUntilMs: 0, waitMs: 0, parameters: new Map() };
        shapes.set(key, repeats);
      }
      repeats.count++;
      if (repeats.count >= minCount) annotateOperation(operation, "telltale.repeat", repeats.count);
      const fromMs = Math.max(operation.startMs + operation.waitMs, repeats.busyUntilMs);
      repeats.busyMs += Math.max(0, operation.endMs - fromMs);
      repeats.busyUntilMs = Math.max(repeats.busyUntilMs, operation.endMs);
      repeats.waitMs += operation.waitMs;
      const hash = hashParameters(operation.parameters);
      const before = repeats.parameters.get(hash);
      if (before !== undefined || repeats.parameters.size < MAX_PARAMETERS)
        repeats.parameters.set(hash, (before ?? 0) + 1);
    },
    requestEnded(served, request) {
      const shapes = request.slots[slot] as Map<string, Repeats> | undefined;
      if (shapes === undefined) return;
      request.slots[slot] = undefined;
      if (request.route !== undefined && ignored.routes.has(request.route)) return;
      for (const repeats of shapes.values()) decide(repeats, served, request);
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

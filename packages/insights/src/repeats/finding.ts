import {
  annotateOperation,
  type CallSite,
  type DatabaseTemplate,
  type Finding,
  type FindingKind,
  type HttpServerOperation,
  type Request,
} from "@telltale/core";
import { endpointOf, factsOfQuery, factsOfRequest, formatMs, wallTimeOf } from "../findings/describe.js";
import type { Calls, Repetition } from "./calls.js";
import type { Source } from "./source.js";

/** How the calls of a loop followed on each other. */
type Order = "sequential" | "parallel" | "mixed";

const ORDERS: Readonly<Record<Order, string>> = {
  sequential: "one after the other",
  parallel: "in parallel",
  mixed: "partly in parallel",
};

export type RepeatKind = Extract<
  FindingKind,
  "n_plus_one" | "duplicate_query" | "repeated_http_call" | "repeated_lookup"
>;

export interface Repeat {
  readonly kind: RepeatKind;
  readonly calls: Calls;
  readonly repetition: Repetition;
  /** Whether all ask for the same. */
  readonly isSame: boolean;
  readonly source: Source | undefined;
  readonly callSite: CallSite | undefined;
  readonly served: HttpServerOperation;
  readonly request: Request;
}

/** Of the calls that could have overlapped with one before, how many did. */
export function orderOf(overlaps: number, calls: number): Order {
  if (overlaps === 0) return "sequential";
  return overlaps * 2 > calls - 1 ? "parallel" : "mixed";
}

export function repeatFinding({ kind, calls, repetition, isSame, source, callSite, served, request }: Repeat): Finding {
  const { subject } = calls;
  const { count, busyMs, waitMs, overlaps } = repetition;
  const { template, name } = subject;
  const requestMs = served.endMs - served.startMs;
  const order = orderOf(overlaps, count);
  const verb = template === undefined ? "sends" : "runs";
  const same = template === undefined ? " to the same URL" : " with the same parameters";
  const fed = source === undefined ? "" : `, ${describeSource(source)}`;
  annotateOperation(served, "telltale.finding.query_summary", name);
  annotateOperation(served, "telltale.finding.count", count);
  return {
    ...factsOfRequest(request, served),
    ...factsOfQuery(template),
    kind,
    title: `${endpointOf(request)} ${verb} ${name} ${count} times (${formatMs(busyMs)} of ${formatMs(requestMs)})${isSame ? same : ""}, ${ORDERS[order]}${fed}`,
    advice: adviceFor(kind, isSame, template, source),
    ...(template === undefined && { fingerprint: name }),
    count,
    durationMs: busyMs,
    waitMs,
    againstMs: requestMs,
    reason: undefined,
    time: wallTimeOf(served.endMs),
    callSite,
    evidence: {
      order,
      ...(template === undefined && { target: name, same: isSame }),
      ...(source !== undefined && evidenceOf(source)),
    },
  };
}

function describeSource({ name, rows, calls, isEstimate }: Source): string {
  const from = calls === 1 ? name : `${name}, itself run ${calls} times`;
  return isEstimate ? `probably for the ${rows} rows of ${from}` : `for each of the ${rows} rows of ${from}`;
}

function evidenceOf({ name, fingerprint, rows, calls, isEstimate }: Source): NonNullable<Finding["evidence"]> {
  return {
    source_query: name,
    ...(fingerprint !== undefined && { source_fingerprint: fingerprint }),
    source_rows: rows,
    source_calls: calls,
    source_is_estimate: isEstimate,
  };
}

function adviceFor(
  kind: RepeatKind,
  isSame: boolean,
  template: DatabaseTemplate | undefined,
  source: Source | undefined,
): string {
  if (kind === "repeated_http_call") return isSame ? CURE_SAME_CALL : CURE_CALLS;
  if (kind === "duplicate_query") return CURE_DUPLICATE;
  if (kind === "repeated_lookup") return cureLookups(template);
  const collection = template?.collection;
  const table = collection === undefined ? "the rows" : `the rows of ${collection}`;
  const feeding = `the query that feeds the loop${source === undefined ? "" : `, ${source.name}`}`;
  const ways =
    template?.system === "mongodb"
      ? `{ $in: keys }, or a $lookup in ${feeding}`
      : `WHERE key ${template?.system === "postgresql" ? "= ANY($1)" : "IN (…)"}, or a JOIN in ${feeding}`;
  return `Read ${table} for all keys in one query (${ways}), or load them through a DataLoader.`;
}

function cureLookups(template: DatabaseTemplate | undefined): string {
  if (template?.system === "memcached")
    return "Ask for all keys at once (getMulti), or send the calls together and wait for all of them.";
  const operation = template?.operationName;
  if (operation === "GET") return "Ask for all keys at once with MGET; in a cluster, put the GETs in one pipeline.";
  if (operation === "HGET")
    return "Ask for all fields of a hash at once with HMGET, or put the commands in one pipeline.";
  if (operation === "JSON.GET") return "Ask for all keys at once with JSON.MGET, or put the commands in one pipeline.";
  return "Put the commands in one pipeline: they then wait for one answer and not for each.";
}

const CURE_DUPLICATE =
  "Keep the first result for the rest of the request: pass it on, or load it through a per-request cache.";
const CURE_SAME_CALL =
  "Keep the first answer for the rest of the request: pass it on, or ask through a per-request cache.";
const CURE_CALLS =
  "Ask for all of them in one request, if the other service has one for that (a list of ids); else send them in parallel, a few at a time, and cache what seldom changes.";

import type { Context } from "@opentelemetry/api";
import {
  cacheNameOf,
  type DatabaseOperation,
  endOperation,
  hearsKeys,
  reportLookupOf,
  siteWanted,
  startDatabaseOperation,
  takeSite,
} from "@telltale/core";
import { type Argument, type CommandFacts, firstKey } from "./commands.js";
import { tellKeys } from "./key-use.js";
import { askedFor, found, isLookup, type LookupKind, tallyByCache } from "./lookup.js";
import { failCommand, isReplyError } from "./reply-error.js";
import type { Connection } from "./target.js";
import { shapeOf } from "./templates.js";

/** One command of the app, from its first call to its outcome, however often its driver sends it. */
export class Call<Source extends object = object> {
  readonly operation: DatabaseOperation;
  readonly facts: CommandFacts;
  /** Without the command's name. */
  readonly args: readonly Argument[];
  /** The cache of the first key. */
  readonly cache: string;
  /** What the driver knows it by. */
  readonly source: Source;
  /** The connection that it was last sent to. */
  connection: Connection;
  /** What it failed with when it was last sent. */
  error: unknown = undefined;

  constructor(
    operation: DatabaseOperation,
    facts: CommandFacts,
    args: readonly Argument[],
    cache: string,
    source: Source,
    connection: Connection,
  ) {
    this.operation = operation;
    this.facts = facts;
    this.args = args;
    this.cache = cache;
    this.source = source;
    this.connection = connection;
  }
}

/** `below` is the patched function, whose caller is the app's; `askedMs` is when a call that waited for a pooled connection was made. */
export function startCall<Source extends object>(
  name: string,
  args: readonly Argument[],
  source: Source,
  connection: Connection,
  caller: Context,
  below: (...args: never[]) => unknown,
  askedMs?: number,
  waitMs?: number,
): Call<Source> {
  const { target } = connection;
  const shape = shapeOf(target, name, args);
  const key = firstKey(shape.facts, args);
  const cache = key === undefined ? "" : cacheNameOf(key);
  const template = key === undefined ? shape.templates.keyless : shape.templates.of(key, cache);
  const operation = startDatabaseOperation(template, undefined, args, caller, askedMs, waitMs);
  if (siteWanted(template)) operation.takenSite = takeSite(template, below);
  return new Call(operation, shape.facts, args, cache, source, connection);
}

/** A call that began before its driver knew the server, or whose server has failed over, is sent to the one of `connection`. */
export function sendTo(call: Call, connection: Connection, name: string): void {
  const { operation, args, cache } = call;
  const { facts, templates } = shapeOf(connection.target, name, args);
  const key = firstKey(facts, args);
  operation.template = key === undefined ? templates.keyless : templates.of(key, cache);
  call.connection = connection;
}

/** `isChained`: it was sent together with the MULTI and the EXEC around it. */
export function answered(call: Call, reply: unknown, isChained: boolean): void {
  const { operation, facts, connection } = call;
  const { queued } = connection;
  if (facts.transaction !== undefined) {
    connection.queued = facts.transaction === "multi" ? [] : undefined;
    if (queued !== undefined) endQueued(queued, facts.transaction === "exec" ? reply : undefined, operation);
  } else if (queued !== undefined) {
    if (isQueued(reply)) {
      queued.push(call);
      // The outcome comes with EXEC. In a chain that is at once; a MULTI by hand may take its time, which is not this command's.
      if (!isChained) endOperation(operation);
      return;
    }
    // The connection was lost, and with it the transaction.
    connection.queued = undefined;
    endQueued(queued, undefined, operation);
  }
  if (operation.endMs !== 0) return;
  countLookup(call, reply, operation);
  endOperation(operation);
}

function isQueued(reply: unknown): boolean {
  if (reply === "QUEUED") return true;
  return reply instanceof Uint8Array && reply.length === 6 && reply.toString() === "QUEUED";
}

/**
 * Ends the calls of a transaction with what EXEC answered for each. Null (a watched key changed) or no answer (DISCARD): nothing ran,
 * so nothing was looked up. What has ended before is counted on EXEC.
 */
function endQueued(queued: readonly Call[], replies: unknown, exec: DatabaseOperation): void {
  const ran = Array.isArray(replies) && replies.length === queued.length;
  if (ran && queued.length > 1) exec.batchSize = queued.length;
  for (const [i, call] of queued.entries()) {
    const { operation } = call;
    const carrier = operation.endMs === 0 ? operation : exec;
    if (ran && operation.errorType === undefined) {
      const reply: unknown = replies[i];
      if (reply instanceof Error) fail(call, reply, carrier);
      else countLookup(call, reply, carrier);
    }
    endOperation(operation);
  }
}

/** A command failed that may be an EXEC. The server's refusal (EXECABORT) says that nothing ran; a lost connection leaves all without answer. */
export function dropTransaction({ facts, connection }: Call, error: unknown): void {
  const { queued } = connection;
  if (facts.transaction !== "exec" || queued === undefined) return;
  connection.queued = undefined;
  const isLost = !isReplyError(error);
  for (const waiting of queued) {
    if (isLost && waiting.operation.endMs === 0) fail(waiting, error, waiting.operation);
    endOperation(waiting.operation);
  }
}

export function endFailed(call: Call, error: unknown): void {
  if (call.operation.endMs !== 0) return;
  fail(call, error, call.operation);
  endOperation(call.operation);
}

function fail({ operation, facts, args, cache }: Call, error: unknown, carrier: DatabaseOperation): void {
  failCommand(carrier, error);
  const kind = facts.lookup;
  if (kind === undefined || !isLookup(kind, args)) return;
  if (!hasManyCaches(kind, args, cache)) {
    reportLookupOf(operation, cache, "error", askedFor(kind, args));
    return;
  }
  for (const [name, { misses }] of tallyByCache(args, undefined, cacheNameOf)) {
    reportLookupOf(operation, name, "error", misses);
  }
}

function countLookup({ operation, facts, args, cache }: Call, reply: unknown, carrier: DatabaseOperation): void {
  const kind = facts.lookup;
  const isMixed = hasManyCaches(kind, args, cache);
  if (cache !== "" && hearsKeys()) tellKeys(operation, facts, args, isMixed ? undefined : cache, reply);
  if (kind === undefined || !isLookup(kind, args)) return;
  const hits = found(kind, reply);
  if (hits < 0) return;
  const misses = askedFor(kind, args) - hits;
  carrier.cacheHits += hits;
  carrier.cacheMisses += misses;
  if (!isMixed) {
    const name = report(operation, cache, hits, misses);
    if (carrier === operation) carrier.cacheName = name;
    return;
  }
  for (const [name, tally] of tallyByCache(args, reply as unknown[], cacheNameOf)) {
    report(operation, name, tally.hits, tally.misses);
  }
}

function hasManyCaches(kind: LookupKind | undefined, args: readonly Argument[], cache: string): boolean {
  if (kind !== "keys") return false;
  for (const key of args) if (cacheNameOf(key.toString()) !== cache) return true;
  return false;
}

function report(operation: DatabaseOperation, cache: string, hits: number, misses: number): string | undefined {
  let name: string | undefined;
  if (hits > 0) name = reportLookupOf(operation, cache, "hit", hits);
  if (misses > 0) name = reportLookupOf(operation, cache, "miss", misses);
  return name;
}

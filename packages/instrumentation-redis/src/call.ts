import { type Context, context } from "@opentelemetry/api";
import {
  cacheNameOf,
  type DatabaseOperation,
  endOperation,
  type Guard,
  hearsKeys,
  isSuppressed,
  reportLookupOf,
  siteWanted,
  startDatabaseOperation,
  takeSite,
} from "@telltale/core";
import { type Argument, type CommandFacts, firstKey } from "./commands.js";
import { type Connection, connectionOf } from "./connection.js";
import type { Client, Command, Pipeline } from "./ioredis.js";
import { tellKeys } from "./key-use.js";
import { know, knownOf, nobodys } from "./known.js";
import { askedFor, found, isLookup, type LookupKind, tallyByCache } from "./lookup.js";
import { isConnectionsOwn } from "./own-commands.js";
import { errorWord, failCommand, isReplyError } from "./reply-error.js";
import { shapeOf, templateOf } from "./templates.js";

/** One command of the app, from its first call to its outcome, however often ioredis sends it. */
export class Call {
  readonly operation: DatabaseOperation;
  readonly facts: CommandFacts;
  readonly command: Command;
  /** The cache of the first key. */
  readonly cache: string;
  /** The client that it was last sent to. */
  connection: Connection;
  /** The pipeline of a cluster that it belongs to: an error is final only when the pipeline is, which may be sent again as a whole. */
  readonly retried: Pipeline | undefined;
  /** What it failed with when it was last sent. */
  error: unknown = undefined;

  constructor(
    operation: DatabaseOperation,
    facts: CommandFacts,
    command: Command,
    cache: string,
    connection: Connection,
    retried: Pipeline | undefined,
  ) {
    this.operation = operation;
    this.facts = facts;
    this.command = command;
    this.cache = cache;
    this.connection = connection;
    this.retried = retried;
  }
}

/** Who calls a command whose operation begins later: when its pipeline is sent. */
export interface Caller {
  readonly caller: Context;
  readonly pipeline: Pipeline;
}

/**
 * Hears that a pipeline queues a command. A pipeline of a cluster does so again, with a new promise for each of its commands, before it
 * is sent a second time, to where the cluster has redirected it.
 */
export function queueCall(pipeline: Pipeline, command: Command, guard: Guard): void {
  const known = knownOf(command);
  if (known === undefined) know(command, command.ignore === true ? nobodys : { caller: context.active(), pipeline });
  else if (known instanceof Call) hearOutcome(known, guard);
}

/**
 * Begins the operation of a command, once: ioredis sends a command again from its offline queue, after a reconnect, to another node of
 * a cluster, and the first time is the app's own call. `automatic` is the pipeline that ioredis has put it into by itself.
 */
export function beginCall(client: Client, command: Command, guard: Guard, automatic?: Pipeline): void {
  const known = knownOf(command);
  if (known === nobodys) return;
  if (known instanceof Call) {
    known.connection = connectionOf(client);
    return;
  }
  const caller = known?.caller ?? context.active();
  if ((known === undefined && isConnectionsOwn(client, command)) || isSuppressed(caller)) {
    know(command, nobodys);
    return;
  }
  const call = startCall(client, command, caller, known?.pipeline ?? automatic);
  know(command, call);
  hearOutcome(call, guard);
}

function startCall(client: Client, command: Command, caller: Context, pipeline: Pipeline | undefined): Call {
  const connection = connectionOf(client);
  const { target } = connection;
  const shape = shapeOf(target, command);
  const key = firstKey(shape.facts, command.args);
  const cache = key === undefined ? "" : cacheNameOf(key);
  const template = key === undefined ? shape.keyless : templateOf(target, shape, key, cache);
  const operation = startDatabaseOperation(template, undefined, command.args, caller);
  if (siteWanted(template)) operation.takenSite = takeSite(template, beginCall);
  const retried = pipeline?.isCluster === true ? pipeline : undefined;
  return new Call(operation, shape.facts, command, cache, connection, retried);
}

/**
 * Puts itself before the functions that settle the command's promise. Not a handler on the promise: with one, a rejection that the app
 * does not handle would no longer be reported as unhandled.
 */
function hearOutcome(call: Call, guard: Guard): void {
  const { command } = call;
  const { resolve, reject } = command;
  command.resolve = function (reply) {
    if (guard.on) {
      try {
        answered(call, reply);
      } catch (error) {
        guard.failed(error);
      }
    }
    return resolve.call(this, reply);
  };
  command.reject = function (error) {
    if (guard.on) {
      try {
        rejected(call, error, guard);
      } catch (failure) {
        guard.failed(failure);
      }
    }
    return reject.call(this, error);
  };
}

function answered(call: Call, reply: unknown): void {
  const { operation, facts, connection, command } = call;
  const { queued } = connection;
  if (facts.transaction !== undefined) {
    connection.queued = facts.transaction === "multi" ? [] : undefined;
    if (queued !== undefined) endQueued(queued, facts.transaction === "exec" ? reply : undefined, operation);
  } else if (queued !== undefined) {
    if (isQueued(reply)) {
      queued.push(call);
      // The outcome comes with EXEC. In a pipeline that is at once; a MULTI by hand may take its time, which is not this command's.
      if (!command.inTransaction) endOperation(operation);
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

function rejected(call: Call, error: unknown, guard: Guard): void {
  const { facts, connection, retried } = call;
  const { queued } = connection;
  if (facts.transaction === "exec" && queued !== undefined) {
    connection.queued = undefined;
    // The server's refusal (EXECABORT) says that nothing ran; a lost connection leaves every command without an answer.
    const isLost = !isReplyError(error);
    for (const waiting of queued) {
      if (isLost && waiting.operation.endMs === 0) fail(waiting, error, waiting.operation);
      endOperation(waiting.operation);
    }
  }
  call.error = error;
  if (retried === undefined) endFailed(call);
  else endWithPipeline(retried, guard);
}

function endFailed(call: Call): void {
  const { operation, command, error } = call;
  if (operation.endMs !== 0) return;
  if (isResent(command, error)) operation.statusCode = "NOSCRIPT";
  else fail(call, error, operation);
  endOperation(operation);
}

const awaited = new WeakSet<Pipeline>();

/** Ends what is still without an answer when a pipeline is over, by the functions that settle its promise, as `hearOutcome` does. */
function endWithPipeline(pipeline: Pipeline, guard: Guard): void {
  if (awaited.has(pipeline)) return;
  awaited.add(pipeline);
  const { resolve, reject } = pipeline;
  const end = (): void => {
    try {
      for (const command of pipeline._queue) {
        const known = knownOf(command);
        if (known !== undefined && known instanceof Call) endFailed(known);
      }
    } catch (error) {
      guard.failed(error);
    }
  };
  pipeline.resolve = function (replies) {
    end();
    return resolve.call(this, replies);
  };
  pipeline.reject = function (error) {
    end();
    return reject.call(this, error);
  };
}

/** A script of `defineCommand` that the server does not know yet: ioredis sends its text at once, and the app sees no error. */
function isResent(command: Command, error: unknown): boolean {
  return command.constructor.name === "CustomScriptCommand" && isReplyError(error) && errorWord(error) === "NOSCRIPT";
}

function fail({ operation, facts, command: { args }, cache }: Call, error: unknown, carrier: DatabaseOperation): void {
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

function countLookup(
  { operation, facts, command: { args }, cache }: Call,
  reply: unknown,
  carrier: DatabaseOperation,
): void {
  if (hearsKeys()) tellKeys(operation, facts, args, cache, reply);
  const kind = facts.lookup;
  if (kind === undefined || !isLookup(kind, args)) return;
  const hits = found(kind, reply);
  if (hits < 0) return;
  const misses = askedFor(kind, args) - hits;
  carrier.cacheHits += hits;
  carrier.cacheMisses += misses;
  if (!hasManyCaches(kind, args, cache)) {
    const name = report(operation, cache, hits, misses);
    if (carrier === operation) carrier.cacheName = name;
    return;
  }
  for (const [name, tally] of tallyByCache(args, reply as unknown[], cacheNameOf)) {
    report(operation, name, tally.hits, tally.misses);
  }
}

function hasManyCaches(kind: LookupKind, args: readonly Argument[], cache: string): boolean {
  return kind === "keys" && args.some((key) => cacheNameOf(key.toString()) !== cache);
}

function report(operation: DatabaseOperation, cache: string, hits: number, misses: number): string | undefined {
  let name: string | undefined;
  if (hits > 0) name = reportLookupOf(operation, cache, "hit", hits);
  if (misses > 0) name = reportLookupOf(operation, cache, "miss", misses);
  return name;
}

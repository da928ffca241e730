import { type Context, context } from "@opentelemetry/api";
import { endOperation, type Guard, isSuppressed } from "@telltale/core";
import { answered, Call, dropTransaction, endFailed, sendTo, startCall } from "./call.js";
import type { Client, Command, Pipeline } from "./ioredis.js";
import { connectionOf } from "./ioredis-connection.js";
import { know, knownOf, nobodys } from "./ioredis-known.js";
import { isConnectionsOwn } from "./ioredis-own-commands.js";
import { errorWord } from "./reply-error.js";

/** Who calls a command whose operation begins later: when its pipeline is sent. */
export interface Caller {
  readonly caller: Context;
  readonly pipeline: Pipeline;
}

/** The pipeline of a cluster that a command belongs to: an error is final only when the pipeline is, which may be sent again as a whole. */
const retried = new WeakMap<Command, Pipeline>();

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
    const connection = connectionOf(client);
    if (client.options.sentinels) sendTo(known, connection, command.name);
    else known.connection = connection;
    return;
  }
  const caller = known?.caller ?? context.active();
  if ((known === undefined && isConnectionsOwn(client, command)) || isSuppressed(caller)) {
    know(command, nobodys);
    return;
  }
  const call = startCall(command.name, command.args, command, connectionOf(client), caller, beginCall);
  const pipeline = known?.pipeline ?? automatic;
  if (pipeline?.isCluster === true) retried.set(command, pipeline);
  know(command, call);
  hearOutcome(call, guard);
}

/**
 * Puts itself before the functions that settle the command's promise. Not a handler on the promise: with one, a rejection that the app
 * does not handle would no longer be reported as unhandled.
 */
function hearOutcome(call: Call<Command>, guard: Guard): void {
  const command = call.source;
  const { resolve, reject } = command;
  command.resolve = function (reply) {
    if (guard.on) {
      try {
        answered(call, reply, command.inTransaction);
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

function rejected(call: Call<Command>, error: unknown, guard: Guard): void {
  dropTransaction(call, error);
  call.error = error;
  const pipeline = retried.get(call.source);
  if (pipeline === undefined) endRejected(call);
  else endWithPipeline(pipeline, guard);
}

function endRejected(call: Call<Command>): void {
  const { operation, source, error } = call;
  if (!isResent(source, error)) {
    endFailed(call, error);
  } else if (operation.endMs === 0) {
    operation.statusCode = "NOSCRIPT";
    endOperation(operation);
  }
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
        if (known !== undefined && known instanceof Call) endRejected(known);
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
  return command.constructor.name === "CustomScriptCommand" && errorWord(error) === "NOSCRIPT";
}

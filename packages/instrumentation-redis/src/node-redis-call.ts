import { type Context, context } from "@opentelemetry/api";
import { endOperation, type Guard, isSuppressed, startImmediate, startTimer, stopTimer } from "@telltale/core";
import { answered, type Call, dropTransaction, endFailed, startCall } from "./call.js";
import type { Client, CommandArguments, QueuedCommand, SendOptions } from "./node-redis.js";
import { isConnectionsOwn } from "./node-redis-own-commands.js";
import { selectDatabase, type Session, sessionOf } from "./node-redis-session.js";
import { errorWord } from "./reply-error.js";

type ClientCall = Call<CommandArguments & object>;

/** A call that had to wait for a client of a pool. */
export interface Waited {
  readonly askedMs: number;
  readonly waitMs: number;
}

/** Begins the operation of a command that a client queues, in the context of who called. */
export function beginCall(
  session: Session,
  command: QueuedCommand,
  options: SendOptions | undefined,
  waited: Waited | undefined,
  guard: Guard,
): void {
  const held = heldCalls.get(command.args);
  if (held !== undefined) {
    heldCalls.delete(command.args);
    held.call.connection = session;
    stopTimer(held.timer);
    hearOutcome(held.call, session, command, guard);
    return;
  }
  const caller = context.active();
  if (isConnectionsOwn(session, command, options) || isSuppressed(caller)) {
    follow(session, String(command.args[0]).toUpperCase(), command.args);
    return;
  }
  const call = begin(session, command.args, caller, waited);
  hearOutcome(call, session, command, guard);
  follow(session, call.facts.name, command.args);
}

/** What comes after it runs in another database. */
function follow(session: Session, name: string, args: CommandArguments): void {
  if (name === "SELECT") selectDatabase(session, Number(args[1]));
  else if (name === "RESET") selectDatabase(session, 0);
}

function begin(session: Session, args: CommandArguments, caller: Context, waited: Waited | undefined): ClientCall {
  const [name] = args;
  return startCall(String(name), args.slice(1), args, session, caller, beginCall, waited?.askedMs, waited?.waitMs);
}

/** A command that its client refused to queue. What it rejected with is only known to who handles it, so it is told by its name. */
export function refuseCall(session: Session, args: CommandArguments, errorName: string): void {
  const caller = context.active();
  if (isSuppressed(caller)) return;
  const error = new Error(`the client has refused a command: ${errorName}`);
  error.name = errorName;
  endFailed(begin(session, args, caller, undefined), error);
}

/** Why a client takes no commands. */
export function refusalOf(client: Client): string | undefined {
  if (!client.isOpen) return "ClientClosedError";
  return client.isReady === false && client.options?.disableOfflineQueue === true ? "ClientOfflineError" : undefined;
}

/** Puts itself before the functions that settle the command's promise, and not as a handler on it: that would hide unhandled rejections. */
function hearOutcome(call: ClientCall, session: Session, command: QueuedCommand, guard: Guard): void {
  const { resolve, reject } = command;
  const isChained = command.chainId !== undefined;
  command.resolve = function (reply) {
    if (guard.on) {
      try {
        answered(call, reply, isChained);
      } catch (error) {
        guard.failed(error);
      }
    }
    return resolve.call(this, reply);
  };
  command.reject = function (error) {
    if (guard.on) {
      try {
        rejected(call, session, error, guard);
      } catch (failure) {
        guard.failed(failure);
      }
    }
    return reject.call(this, error);
  };
}

function rejected(call: ClientCall, session: Session, error: unknown, guard: Guard): void {
  call.error = error;
  const word = errorWord(error);
  const isRefused = word === "EXECABORT" && session.isRedirected;
  if (call.facts.transaction === "exec") session.isRedirected = false;
  dropTransaction(call, error);
  if (word === "MOVED" || word === "ASK") hold(call, session, guard);
  else if (word === "NOSCRIPT" && call.facts.name.startsWith("EVALSHA")) endAfterScript(call, guard);
  // The whole transaction is sent again, to where the cluster has redirected it.
  else if (isRefused) endWithout(call, word);
  else endFailed(call, error);
}

/** Calls that a cluster may send again to another node, by their arguments, which it sends once more as they are. */
const heldCalls = new WeakMap<CommandArguments, { readonly call: ClientCall; timer: NodeJS.Timeout | undefined }>();
const RESEND_LIMIT_MS = 10_000;
let asked = 0;

/** To be called when a cluster looks up the node that it was told to ask. */
export function asksNode(): void {
  asked++;
}

/** To be called when a cluster looks for its nodes anew, because of this client's answer. */
export function rediscovers(client: Client): void {
  sessionOf(client).rediscovered++;
}

/**
 * A cluster takes a redirection for itself: it begins to look for the node at once, or the app sees the error. What it then never sends
 * again, because it found no node, ends late.
 */
function hold(call: ClientCall, session: Session, guard: Guard): void {
  session.isRedirected = session.queued !== undefined;
  const { rediscovered } = session;
  const askedBefore = asked;
  const held: { call: ClientCall; timer: NodeJS.Timeout | undefined } = { call, timer: undefined };
  heldCalls.set(call.source, held);
  const end = (): void => {
    try {
      if (heldCalls.get(call.source) !== held) return;
      heldCalls.delete(call.source);
      endFailed(call, call.error);
    } catch (error) {
      guard.failed(error);
    }
  };
  startImmediate(() => {
    const isFollowed = session.rediscovered !== rediscovered || asked !== askedBefore;
    if (!isFollowed) end();
    else if (heldCalls.get(call.source) === held) held.timer = startTimer(end, RESEND_LIMIT_MS).unref();
  });
}

/** A script that the server does not know yet: the client sends its text at once, in the same arguments, and the app sees no error. */
function endAfterScript(call: ClientCall, guard: Guard): void {
  startImmediate(() => {
    try {
      if (String(call.source[0]).startsWith("EVALSHA")) endFailed(call, call.error);
      else endWithout(call, "NOSCRIPT");
    } catch (error) {
      guard.failed(error);
    }
  });
}

/** Ends a call whose error the app does not see. */
function endWithout({ operation }: ClientCall, statusCode: string): void {
  if (operation.endMs !== 0) return;
  operation.statusCode = statusCode;
  endOperation(operation);
}

import { context } from "@opentelemetry/api";
import {
  type DatabaseOperation,
  type Guard,
  hasListeners,
  isSuppressed,
  replaceMethod,
  settle,
  siteWanted,
  startDatabaseOperation,
  takeSite,
} from "@telltale/core";
import { readCommand } from "./command.js";
import { stateOf } from "./connection-state.js";
import type { Callback, Command, Connection } from "./driver.js";
import { endCommand, failCommand } from "./reply.js";
import { templateOf } from "./templates.js";

type Send = Connection["command"];

/**
 * Patches the one method through which a connection sends commands. It is called in its caller's context, which the driver's own command events
 * are not; those are made only where the app asks for them, and copy each command.
 */
export function patchConnection(prototype: Connection, guard: Guard): () => void {
  let active = true;

  const wrap = (find: () => Send): Send =>
    function patchedCommand(this: Connection, namespace, command, options, last) {
      let operation: DatabaseOperation | undefined;
      if (active && guard.on && hasListeners()) {
        try {
          operation = begin(this, namespace.db, command, patchedCommand);
        } catch (error) {
          guard.failed(error);
        }
      }
      const original = find();
      if (operation === undefined) return Reflect.apply(original, this, arguments as unknown as Parameters<Send>);
      const begun = operation;
      const end = (reply: unknown): void => settle(guard, () => endCommand(begun, reply));
      const fail = (error: unknown): void => settle(guard, () => failCommand(begun, error));
      const given = isCallback(last) ? ([namespace, command, options, hear(last)] as const) : arguments;
      let result: unknown;
      try {
        result = Reflect.apply(original, this, given as unknown as Parameters<Send>);
      } catch (error) {
        fail(error);
        throw error;
      }
      // Whoever sends a command awaits it: no rejection is hidden here.
      if (result instanceof Promise) result.then(end, fail);
      else if (!isCallback(last)) end(undefined);
      return result;

      function hear(callback: Callback): Callback {
        return function heard(error, reply) {
          if (error) fail(error);
          else end(reply);
          return Reflect.apply(callback, this, arguments as unknown as Parameters<Callback>);
        };
      }
    };

  const restore = replaceMethod(prototype, "command", wrap);
  return () => {
    active = false;
    restore();
  };
}

/** Newer releases have a class there, of what the reply is read as. */
function isCallback(last: unknown): last is Callback {
  return typeof last === "function" && !("make" in last);
}

function begin(
  connection: Connection,
  database: string,
  command: Command,
  below: (...values: never[]) => unknown,
): DatabaseOperation | undefined {
  const state = stateOf(connection);
  if (state === undefined || state.takenMs === 0) return undefined;
  const { address, askedMs, takenMs, loan, reporter } = state;
  state.askedMs = 0;
  const parent = context.active();
  if (isSuppressed(parent)) {
    loan.isUnseen = true;
    return undefined;
  }
  const asked = readCommand(command);
  // Sent by a client that closes.
  if (asked.name === "endSessions") {
    loan.isUnseen = true;
    return undefined;
  }
  const template = templateOf(address, database, reporter.pool.name, asked);
  const operation =
    askedMs === 0
      ? startDatabaseOperation(template, undefined, asked.values, parent)
      : startDatabaseOperation(template, undefined, asked.values, parent, askedMs, takenMs - askedMs);
  operation.batchSize = asked.size;
  if (siteWanted(template)) operation.takenSite = takeSite(template, below);
  loan.runs(operation);
  return operation;
}

import { context } from "@opentelemetry/api";
import { countMysqlRows, endOperation, failMysql, type Guard, replaceMethod, undoAll } from "@telltale/core";
import { callOf, type CommandCall } from "./calls.js";
import { stateOf } from "./connection-state.js";
import type { Command } from "./driver.js";

/**
 * Patches the class that all commands have in common: a call's end is heard where its command tells of it, and whoever is then called back is
 * so in the caller's context, not in that of the connection. Returns what undoes it.
 */
export function patchCommand(prototype: Command, guard: Guard): () => void {
  const patchSuccess = (find: () => Command["successEnd"]): Command["successEnd"] =>
    function successEnd(this: Command, value) {
      const call = callOf(this);
      if (call === undefined) return find().call(this, value);
      try {
        succeed(this, call, value);
      } catch (error) {
        guard.failed(error);
      }
      return context.with(call.context, find(), this, value);
    };

  const patchError = (find: () => Command["throwError"]): Command["throwError"] =>
    function throwError(this: Command, error, info) {
      const call = callOf(this);
      if (call === undefined) return find().call(this, error, info);
      try {
        fail(call, error);
      } catch (failure) {
        guard.failed(failure);
      }
      return context.with(call.context, find(), this, error, info);
    };

  const patchUnexpected = (find: () => Command["throwUnexpectedError"]): Command["throwUnexpectedError"] =>
    function throwUnexpectedError(this: Command) {
      const call = callOf(this);
      if (call === undefined) return Reflect.apply(find(), this, arguments);
      const error: unknown = context.with(call.context, Reflect.apply, undefined, find(), this, arguments);
      try {
        fail(call, error);
      } catch (failure) {
        guard.failed(failure);
      }
      return error;
    };

  const undo = [
    replaceMethod(prototype, "successEnd", patchSuccess),
    replaceMethod(prototype, "throwError", patchError),
    replaceMethod(prototype, "throwUnexpectedError", patchUnexpected),
  ];
  return () => undoAll(undo);
}

function succeed(command: Command, call: CommandCall, value: unknown): void {
  const { operation, early } = call;
  if (operation === undefined) {
    if (early?.operation === undefined) stateOf(call.connection).prepared = early;
  } else if (operation.endMs === 0) {
    operation.rows = countMysqlRows(resultsOf(command, value)) + call.streamed;
    endOperation(operation);
  }
}

/** What could not be prepared is a failed call, also where the server has the command that would run it already. */
function fail(call: CommandCall, error: unknown): void {
  const { early, connection } = call;
  let operation = call.operation ?? early?.operation;
  if (operation === undefined && early?.call.text !== undefined) {
    const { text } = early.call;
    const state = stateOf(connection);
    operation = early.call.start(state.targetOf(connection).templateOf(text), text, undefined, state.takenMs);
  }
  if (operation !== undefined) failMysql(operation, error);
}

/** Newer releases keep the result of a single change nowhere. */
function resultsOf({ _rows: results = [] }: Command, value: unknown): readonly unknown[] {
  return results.length > 0 ? results : [Array.isArray(value) ? value[0] : value];
}

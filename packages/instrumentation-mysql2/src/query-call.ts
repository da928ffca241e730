import { performance } from "node:perf_hooks";
import { type Context, context } from "@opentelemetry/api";
import { Attached, type DatabaseOperation, type Explainer, failMysql } from "@telltale/core";
import type { Command } from "./driver.js";

/** A query on its way. */
export class QueryCall {
  /** Undefined while it waits for the server to say which it is: what it is an operation of is known then. */
  operation: DatabaseOperation | undefined;
  early: EarlyQuery | undefined;
  /** For the operation that is begun late. */
  explainer: Explainer | undefined = undefined;

  constructor(operation: DatabaseOperation | undefined, early: EarlyQuery | undefined) {
    this.operation = operation;
    this.early = early;
  }
}

/** A query for a connection that is still being opened. */
export class EarlyQuery {
  readonly text: string;
  readonly parameters: unknown;
  readonly context: Context;
  readonly startMs = performance.now();

  constructor(text: string, parameters: unknown, context: Context) {
    this.text = text;
    this.parameters = parameters;
    this.context = context;
  }
}

class KnownCommand extends Attached {
  #call: QueryCall;

  constructor(command: object, call: QueryCall) {
    super(command);
    this.#call = call;
  }

  static get(command: object): QueryCall | undefined {
    return #call in command ? command.#call : undefined;
  }

  static set(command: object, call: QueryCall): void {
    if (#call in command) command.#call = call;
    // oxlint-disable-next-line no-new
    else new KnownCommand(command, call);
  }
}

/** The call that a command stands for, or prepares. */
export function callOf(command: Command): QueryCall | undefined {
  return KnownCommand.get(command);
}

export function setCall(command: Command, call: QueryCall): void {
  KnownCommand.set(command, call);
}

/** Calls the app back in its caller's context: the driver does so in that of the connection. */
export function callBackIn(caller: Context, command: Command): void {
  const { onResult } = command;
  if (typeof onResult !== "function" || context.active() === caller) return;
  command.onResult = function callBack(error, rows, fields): unknown {
    return arguments.length > 2
      ? context.with(caller, onResult, this, error, rows, fields)
      : context.with(caller, onResult, this, error, rows);
  };
}

/** A query that takes longer than its `timeout` is told so by the driver's timer; its answer may still come. */
export function failTimeouts(command: Command, call: QueryCall): void {
  const { onResult } = command;
  if (typeof onResult !== "function") return;
  command.onResult = function callBack(error, rows, fields): unknown {
    const { operation } = call;
    if (operation === undefined) return onResult.call(this, error, rows, fields);
    if (error !== undefined && error !== null) failMysql(operation, error);
    return context.with(operation.context, onResult, this, error, rows, fields);
  };
}

import type { Context } from "@opentelemetry/api";
import { Attached, type DatabaseOperation, type PoolCall } from "@telltale/core";
import type { CallParameters, Command, Connection } from "./driver.js";

/** A call that begins before its command is sent: it waits for a connection, or is prepared first. */
export class EarlyCall {
  readonly call: PoolCall;
  /** Of the command that runs it. */
  operation: DatabaseOperation | undefined = undefined;

  constructor(call: PoolCall) {
    this.call = call;
  }
}

/** A command on its way. */
export class CommandCall {
  readonly context: Context;
  readonly connection: Connection;
  /** Undefined while it waits for its connection to open, and where it only prepares what is executed next. */
  operation: DatabaseOperation | undefined = undefined;
  /** The call that it is for, where that began before; of one that prepares, always. */
  readonly early: EarlyCall | undefined;
  /** Rows that were streamed. */
  streamed = 0;

  constructor(context: Context, connection: Connection, early: EarlyCall | undefined) {
    this.context = context;
    this.connection = connection;
    this.early = early;
  }
}

class KnownCommand extends Attached {
  readonly #call: CommandCall;

  constructor(command: object, call: CommandCall) {
    super(command);
    this.#call = call;
  }

  static get(command: object): CommandCall | undefined {
    return #call in command ? command.#call : undefined;
  }
}

/** The call that a command stands for. */
export function callOf(command: Command): CommandCall | undefined {
  return KnownCommand.get(command);
}

export function setCall(command: Command, call: CommandCall): void {
  // oxlint-disable-next-line no-new
  new KnownCommand(command, call);
}

class KnownParameters extends Attached {
  readonly #early: EarlyCall;

  constructor(parameters: object, early: EarlyCall) {
    super(parameters);
    this.#early = early;
  }

  static get(parameters: object): EarlyCall | undefined {
    return #early in parameters ? parameters.#early : undefined;
  }
}

/** The call that came with these parameters, from its pool or from what prepares it. */
export function earlyCallOf(parameters: CallParameters | null | undefined): EarlyCall | undefined {
  return parameters ? KnownParameters.get(parameters) : undefined;
}

export function setEarlyCall(parameters: CallParameters, early: EarlyCall): void {
  // oxlint-disable-next-line no-new
  new KnownParameters(parameters, early);
}

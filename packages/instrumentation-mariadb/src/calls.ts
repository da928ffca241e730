import type { Context } from "@opentelemetry/api";
import { Attached, type DatabaseOperation, type PoolCall } from "@telltale/core";
import type { CallParameters, Command, Connection } from "./driver.js";

/** A call that begins before its command is sent: it waits for a connection, or is prepared first. */
export class Asked {
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
  readonly asked: Asked | undefined;
  /** Rows that were streamed. */
  streamed = 0;

  constructor(context: Context, connection: Connection, asked: Asked | undefined) {
    this.context = context;
    this.connection = connection;
    this.asked = asked;
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

class AskedCall extends Attached {
  readonly #asked: Asked;

  constructor(parameters: object, asked: Asked) {
    super(parameters);
    this.#asked = asked;
  }

  static get(parameters: object): Asked | undefined {
    return #asked in parameters ? parameters.#asked : undefined;
  }
}

/** The call that came with these parameters, from its pool or from what prepares it. */
export function askedWith(parameters: CallParameters | null | undefined): Asked | undefined {
  return parameters ? AskedCall.get(parameters) : undefined;
}

export function setAsked(parameters: CallParameters, asked: Asked): void {
  // oxlint-disable-next-line no-new
  new AskedCall(parameters, asked);
}

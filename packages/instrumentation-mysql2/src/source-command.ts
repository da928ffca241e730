import { context } from "@opentelemetry/api";
import { failMysql, type Guard, replaceMethod, undoAll } from "@telltale/core";
import type { Command, Connection, Packet } from "./driver.js";
import { endQuery, runningOf } from "./queries.js";
import { callBackIn, callOf } from "./query-call.js";
import type { MysqlPoolLink } from "./pool-call.js";

type Emit = (this: Command, event: string, first?: unknown) => boolean;

/**
 * Patches the class that all commands have in common: a query's end is heard where its command tells of it, and what the app is then called
 * back with runs in its caller's context, not in that of the connection. Returns what undoes it.
 */
export function patchCommand(prototype: Command, link: MysqlPoolLink, guard: Guard): () => void {
  const { execute } = prototype;

  /** Runs for every packet, each row included. */
  function patchedExecute(this: Command, packet: Packet | undefined, connection: Connection): boolean {
    const call = callOf(this);
    if (call === undefined || (call.early === undefined && packet?.isError() !== true)) {
      return execute.call(this, packet, connection);
    }
    try {
      const operation = runningOf(call, connection, link);
      if (operation !== undefined && packet?.isError()) failMysql(operation, readError(packet, connection));
    } catch (error) {
      guard.failed(error);
    }
    // Without a callback it emits its error.
    if (call.operation === undefined || typeof this.onResult !== "function")
      return execute.call(this, packet, connection);
    return context.with(call.operation.context, execute, this, packet, connection);
  }

  const patchEmit = (find: () => Emit): Emit =>
    function patchedEmit(event, first) {
      const operation = this._rows === undefined ? undefined : callOf(this)?.operation;
      if (operation === undefined) return Reflect.apply(find(), this, arguments);
      const isStream = typeof this.onResult !== "function";
      if (operation.endMs === 0) {
        try {
          if (event === "end") {
            endQuery(this, operation);
            // It is called back with the next tick.
            callBackIn(operation.context, this);
          } else if (event === "error") failMysql(operation, first);
          else if (isStream && this.next === this.row) operation.rows = (operation.rows ?? 0) + 1;
        } catch (error) {
          guard.failed(error);
        }
      }
      if (!isStream) return Reflect.apply(find(), this, arguments);
      return context.with(operation.context, Reflect.apply, undefined, find(), this, arguments) as boolean;
    };

  const undo = [replaceMethod(prototype, "execute", () => patchedExecute), replaceMethod(prototype, "emit", patchEmit)];
  return () => undoAll(undo);
}

/** The driver reads it again. */
function readError(packet: Packet, connection: Connection): unknown {
  const { offset } = packet;
  try {
    return packet.asError(connection.clientEncoding);
  } finally {
    packet.offset = offset;
  }
}

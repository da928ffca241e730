import type { Socket } from "node:net";
import { type Guard, type HttpServerOperation, undoAll } from "@telltale/core";
import { endRequest } from "./in-flight.js";
import { replaceOwn } from "./replace-own.js";

type Write = (this: Socket, chunk?: unknown, ...args: unknown[]) => unknown;
type Emit = (this: Socket, event: string, ...args: unknown[]) => boolean;

/**
 * Ends the operation of an upgrade, or of a CONNECT, with the answer that the app writes to its socket: 101 and 200 end what is
 * HTTP's of the connection, which is then open for as long as its sides like; anything else is a refusal.
 */
export function endWithAnswer(operation: HttpServerOperation, socket: Socket, guard: Guard): void {
  let isAnswered = false;
  const wrapWrite = (find: () => Write): Write =>
    function write(chunk) {
      try {
        return Reflect.apply(find(), this, arguments) as unknown;
      } finally {
        isAnswered ||= chunk !== undefined;
        const status = statusOf(chunk);
        if (status !== undefined) finish(status, status >= 500 ? String(status) : undefined);
      }
    };
  const wrapEmit = (find: () => Emit): Emit =>
    function emit(event) {
      try {
        return Reflect.apply(find(), this, arguments) as boolean;
      } finally {
        if (event === "close") finish(0, isAnswered ? undefined : "aborted");
      }
    };
  const undo = [
    replaceOwn(socket, "write", wrapWrite),
    replaceOwn(socket, "end", wrapWrite),
    replaceOwn(socket, "emit", wrapEmit),
  ];

  function finish(status: number, errorType: string | undefined): void {
    try {
      undoAll(undo.splice(0));
      if (operation.endMs !== 0) return;
      operation.statusCode = status;
      operation.errorType = errorType;
      endRequest(operation);
    } catch (error) {
      guard.failed(error);
    }
  }
}

/** The status that a chunk begins with; of those that are final, and 101, which is the end of HTTP. */
function statusOf(chunk: unknown): number | undefined {
  const isBytes = chunk instanceof Uint8Array;
  if (!isBytes && typeof chunk !== "string") return undefined;
  const start = isBytes ? String.fromCharCode(...chunk.subarray(0, 12)) : chunk.slice(0, 12);
  const status = Number(/^HTTP\/1\.[01] ([1-5][0-9]{2})$/.exec(start)?.[1] ?? 0);
  return status === 101 || status >= 200 ? status : undefined;
}

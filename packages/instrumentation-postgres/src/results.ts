import { context } from "@opentelemetry/api";
import type { Callback, Query } from "./driver.js";
import type { QueryCall } from "./query-call.js";

/** The driver's word for the rows of one statement: an array that knows what the server has counted. */
interface Result {
  readonly count?: number | null;
  readonly length?: number;
}

/** Whether a query has ended with this: columns that were asked for come before the end, as does the stream of a COPY; one of a replication has none. */
export function isEnd(value: unknown): boolean {
  if (Array.isArray(value)) return true;
  const { read, write } = (value ?? {}) as { read?: unknown; write?: unknown };
  return typeof read === "function" && typeof write === "function";
}

/** The server's last words, an error of the socket's, or the driver's own for a connection that is gone. */
export function losesConnection(error: unknown): boolean {
  const { code, severity, syscall } = (error ?? {}) as { code?: unknown; severity?: unknown; syscall?: unknown };
  return severity === "FATAL" || syscall !== undefined || (typeof code === "string" && code.startsWith("CONNECTION_"));
}

/** Returned or changed, of all statements. */
export function countRows(value: unknown): number | undefined {
  const { count } = (value ?? {}) as Result;
  if (typeof count === "number") return count;
  if (!Array.isArray(value)) return undefined;
  let rows: number | undefined;
  for (const result of value as readonly (Result | null | undefined)[]) {
    if (typeof result?.count === "number") rows = (rows ?? 0) + result.count;
  }
  return rows;
}

/** Rows are handed over in their caller's context: the driver does so in that of whoever opened the connection. */
export function callBackIn(query: Query, call: QueryCall): void {
  const { forEachFn, cursorFn } = query;
  const caller = call.asked.context;
  if (typeof forEachFn === "function" && forEachFn !== call.forEachFn) {
    query.forEachFn = call.forEachFn = function (rows, result): unknown {
      return context.with(caller, forEachFn, this, rows, result);
    };
  }
  if (typeof cursorFn === "function" && cursorFn !== call.cursorFn) {
    query.cursorFn = call.cursorFn = countIn(call, cursorFn);
  }
}

function countIn(call: QueryCall, cursorFn: Callback): Callback {
  return function (rows): unknown {
    if (Array.isArray(rows)) call.rows = (call.rows ?? 0) + rows.length;
    return context.with(call.asked.context, cursorFn, this, rows);
  };
}

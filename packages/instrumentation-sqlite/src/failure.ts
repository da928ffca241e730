import { context } from "@opentelemetry/api";
import {
  type DatabaseOperation,
  endOperation,
  failOperation,
  type Guard,
  isSuppressed,
  ServerFailure,
  startDatabaseOperation,
} from "@telltale/core";
import type { StatementState } from "./known-statement.js";

/** What SQLite itself did not like; others are of the app's own functions, or of the driver. */
interface SqliteError {
  readonly message: string;
  readonly code: string;
  /** Of node:sqlite, the number that better-sqlite3 gives as a word. */
  readonly errcode?: unknown;
}

function isOfSqlite(error: unknown): error is SqliteError {
  try {
    const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown };
    return typeof message === "string" && typeof code === "string" && /^(SQLITE_|ERR_SQLITE_ERROR$)/.test(code);
  } catch {
    // One of the app's functions threw what cannot even be read.
    return false;
  }
}

/** Ends a call with what it failed with. */
export function failCall(operation: DatabaseOperation, error: unknown): void {
  if (isOfSqlite(error)) {
    const { code, errcode, message } = error;
    failOperation(operation, new ServerFailure(message, code));
    operation.statusCode = typeof errcode === "number" ? `${errcode}` : code;
  } else failOperation(operation, error);
  endOperation(operation);
}

/** A statement that cannot be prepared is a call that failed. */
export function failPreparation(guard: Guard, findState: () => StatementState | undefined, error: unknown): void {
  try {
    const state = findState();
    if (state === undefined || isSuppressed(context.active())) return;
    failCall(startDatabaseOperation(state.template, state.text, undefined), error);
  } catch (failure) {
    guard.failed(failure);
  }
}

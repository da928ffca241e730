import { context } from "@opentelemetry/api";
import {
  type DatabaseOperation,
  endOperation,
  type Guard,
  hasListeners,
  isSuppressed,
  siteWanted,
  startDatabaseOperation,
  takeSite,
} from "@telltale/core";
import { failCall } from "./failure.js";
import type { StatementState } from "./known-statement.js";

type Method = (...values: never[]) => unknown;

/** On until its driver is no longer patched. */
export interface Hearing {
  active: boolean;
  readonly guard: Guard;
}

export function isHearing({ active, guard }: Hearing): boolean {
  return active && guard.on && hasListeners();
}

/**
 * Wraps a method that runs a statement, and has done so when it returns: for as long the event loop was blocked. `stateFor` tells what
 * runs; `rowsOf` how many rows its result stands for.
 */
export function wrapCall<Owner extends object>(
  hearing: Hearing,
  original: (this: Owner, ...values: never[]) => unknown,
  stateFor: (owner: Owner, values: readonly unknown[]) => StatementState | undefined,
  rowsOf: (result: unknown, operation: DatabaseOperation) => number | undefined,
  hasValues = true,
): (this: Owner, ...values: unknown[]) => unknown {
  return function patchedCall(this: Owner, ...values) {
    if (!isHearing(hearing)) return Reflect.apply(original, this, values);
    let operation: DatabaseOperation | undefined;
    try {
      const parent = context.active();
      const state = isSuppressed(parent) ? undefined : stateFor(this, values);
      if (state !== undefined) {
        const { template, text } = state;
        operation = startDatabaseOperation(template, text, hasValues ? values : undefined, parent);
        if (siteWanted(template)) operation.takenSite = takeSite(template, patchedCall as Method);
      }
    } catch (error) {
      hearing.guard.failed(error);
    }
    let result: unknown;
    try {
      result = Reflect.apply(original, this, values);
    } catch (error) {
      if (operation !== undefined) failCall(operation, error);
      throw error;
    }
    if (operation === undefined) return result;
    try {
      operation.rows = rowsOf(result, operation);
    } catch (error) {
      hearing.guard.failed(error);
    }
    endOperation(operation);
    return result;
  };
}

/** Of `all`. */
export function rowsOfList(result: unknown): number | undefined {
  return Array.isArray(result) ? result.length : undefined;
}

/** Of `get`. */
export function rowsOfOne(result: unknown): number {
  return result === undefined ? 0 : 1;
}

const CHANGES = new Set<string | undefined>(["INSERT", "UPDATE", "DELETE", "REPLACE"]);

/** Of `run`: after statements that change nothing SQLite still tells of the latest one that did. */
export function rowsOfRun(result: unknown, { template }: DatabaseOperation): number | undefined {
  if (!CHANGES.has(template.operationName)) return undefined;
  return Number((result as { changes?: unknown } | undefined)?.changes);
}

export function noRows(): undefined {
  return undefined;
}

import { context } from "@opentelemetry/api";
import {
  type DatabaseOperation,
  endOperation,
  type Guard,
  hasListeners,
  isSuppressed,
  knowConnections,
  type PoolCall,
  replaceMethod,
  siteWanted,
  startDatabaseOperation,
  takeSite,
  undoAll,
} from "@telltale/core";
import { placeOf, stateOf, targetOf } from "./connection-state.js";
import type { BulkLoad, Completed, Payload, TediousConnection, TediousRequest } from "./driver.js";
import { failRequest } from "./failure.js";
import type { PoolLink } from "./link.js";
import { shownText, textOf, valuesOf } from "./request-text.js";

const BULK_LOAD = 0x07;

/** A request that is told of. */
interface RequestCall {
  /** The driver threw instead of sending it. */
  refused(error: unknown): void;
}

/** Patches a connection's prototype: a request begins where it is sent and ends where its callback is called. Returns what undoes it. */
export function patchConnection(prototype: TediousConnection, link: PoolLink, guard: Guard): () => void {
  const { emit, execute, execBulkLoad, makeRequest } = prototype;
  let active = true;
  /** The prepared statement whose `execute` is on the stack, and its values. */
  let executing: TediousRequest | undefined;
  let executed: unknown;
  /** Whose bulk load is on the stack: it sends a text of its own before its rows, and is one call all the same. */
  let loading: TediousConnection | undefined;

  function patchedMakeRequest(
    this: TediousConnection,
    request: TediousRequest | BulkLoad,
    packetType: number,
    payload: Payload,
  ): unknown {
    let call: RequestCall | undefined;
    const isOfLoad = packetType === BULK_LOAD || this === loading;
    // What the driver refuses it calls back at once: the app may ask for something else before this returns.
    if (this === loading) loading = undefined;
    if (active && guard.on && hasListeners() && !isOfLoad) {
      try {
        const text = textOf(request as TediousRequest, packetType, payload, stateOf(this).prepared);
        const values = request === executing ? executed : valuesOf(request as TediousRequest);
        if (text !== undefined) call = begin(this, request, text, values, patchedMakeRequest);
      } catch (error) {
        guard.failed(error);
      }
    }
    try {
      return makeRequest.call(this, request, packetType, payload);
    } catch (error) {
      call?.refused(error);
      throw error;
    }
  }

  function patchedExecute(this: TediousConnection, request: TediousRequest, parameters?: unknown): unknown {
    executing = request;
    executed = parameters;
    try {
      return execute.call(this, request, parameters);
    } finally {
      executing = undefined;
      executed = undefined;
    }
  }

  function patchedExecBulkLoad(this: TediousConnection, load: BulkLoad, rows?: unknown): unknown {
    let call: RequestCall | undefined;
    if (active && guard.on && hasListeners()) {
      try {
        call = begin(this, load, `INSERT BULK ${load.table}`, undefined, patchedExecBulkLoad);
      } catch (error) {
        guard.failed(error);
      }
    }
    const outer = loading;
    // oxlint-disable-next-line no-this-alias
    loading = this;
    try {
      return execBulkLoad.call(this, load, rows);
    } catch (error) {
      call?.refused(error);
      throw error;
    } finally {
      loading = outer;
    }
  }

  /** The server tells when `USE` has led a connection elsewhere. */
  function patchedEmit(this: TediousConnection, event: string, ...values: unknown[]): boolean {
    if (event === "databaseChange" && active && guard.on) {
      try {
        const state = stateOf(this);
        state.database = typeof values[0] === "string" ? values[0] : undefined;
        state.target = undefined;
      } catch (error) {
        guard.failed(error);
      }
    }
    return Reflect.apply(emit, this, [event, ...values]);
  }

  function begin(
    connection: TediousConnection,
    request: TediousRequest | BulkLoad,
    text: string,
    values: unknown,
    below: (...args: never[]) => unknown,
  ): RequestCall | undefined {
    const state = stateOf(connection);
    const call = link.handedOver;
    link.handedOver = undefined;
    const parent = call?.context ?? context.active();
    if (isSuppressed(parent)) {
      if (state.loan !== undefined) state.loan.isUnseen = true;
      return undefined;
    }
    const template = targetOf(connection, state).templateOf(shownText(connection, text));
    const operation = start(call, state.takenMs);
    if (siteWanted(template)) operation.takenSite = takeSite(template, below);
    state.loan?.runs(operation);
    return endWith(request, operation, guard);

    function start(pooled: PoolCall | undefined, takenMs: number): DatabaseOperation {
      return pooled === undefined
        ? startDatabaseOperation(template, text, values, parent)
        : pooled.start(template, text, values, takenMs);
    }
  }

  /** Pools of other libraries lend connections, too; mssql's tell of theirs. */
  const forget = knowConnections((resource) => {
    if (!Object.prototype.isPrototypeOf.call(prototype, resource)) return undefined;
    const connection = resource as TediousConnection;
    const state = stateOf(connection);
    return {
      place: placeOf(connection, state),
      isPooled: state.reporter !== undefined && !state.isLent,
      lend(reporter, loan) {
        state.reporter = reporter;
        state.loan = loan;
        state.isLent = true;
        state.target = undefined;
      },
    };
  });

  const undo = [
    forget,
    replaceMethod(prototype, "makeRequest", () => patchedMakeRequest),
    replaceMethod(prototype, "execute", () => patchedExecute),
    replaceMethod(prototype, "execBulkLoad", () => patchedExecBulkLoad),
    replaceMethod(prototype, "emit", () => patchedEmit),
  ];
  return () => {
    active = false;
    undoAll(undo);
  };
}

/** The app's own callback, on what is called back instead while a request runs. */
const APP = Symbol("app");
type Heard = Completed & { [APP]?: Completed };

/** Ends an operation where the request's callback is called, which is then the app's again: a request may run many times. */
function endWith(request: TediousRequest | BulkLoad, operation: DatabaseOperation, guard: Guard): RequestCall {
  const { callback } = request;
  // Who sends a request that runs yet is refused at once; what ran before goes on.
  const app = (callback as Heard)[APP] ?? callback;
  const heard: Heard = function patchedCallback(error, rowCount) {
    end(error, rowCount);
    // The driver calls back in the context of its connection.
    const values = arguments as unknown as Parameters<Completed>;
    return context.with(operation.context, () => Reflect.apply(app, this, values));
  };
  heard[APP] = app;
  request.callback = heard;
  return { refused: end };

  function end(error: unknown, rowCount?: unknown): void {
    try {
      if (request.callback === heard) request.callback = callback;
      if (error !== undefined && error !== null) return failRequest(operation, error);
      if (typeof rowCount === "number") operation.rows = rowCount;
      endOperation(operation);
    } catch (failure) {
      guard.failed(failure);
    }
  }
}

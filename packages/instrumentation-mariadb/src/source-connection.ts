import { performance } from "node:perf_hooks";
import { context } from "@opentelemetry/api";
import {
  attempt,
  type DatabaseOperation,
  type Guard,
  hasListeners,
  isSuppressed,
  knowConnections,
  PoolCall,
  replaceMethod,
  sitesWanted,
  siteWanted,
  startDatabaseOperation,
  takeSite,
  undoAll,
} from "@telltale/core";
import { callOf, CommandCall, EarlyCall, earlyCallOf, setCall, setEarlyCall } from "./calls.js";
import { stateOf } from "./connection-state.js";
import type { Command, Connection } from "./driver.js";
import { findConnection, noteInfo } from "./lent-connection.js";
import { textOf } from "./query-text.js";

type Add = Connection["addCommandEnable"];

/** The `status` of a connection that is open; before, the driver asks what it needs to know itself. */
const CONNECTED = 5;

/**
 * A connection keeps the method that it adds commands with as its own, also when that was patched by an instrumentation which has been disabled
 * since: it asks here who listens now.
 */
interface Hearing {
  hear: ((connection: Connection, command: Command, waits: boolean, below: Add) => void) | undefined;
}

const hearings = new WeakMap<Connection, Hearing>();

function hearingOf(prototype: Connection): Hearing {
  const known = hearings.get(prototype) ?? { hear: undefined };
  hearings.set(prototype, known);
  return known;
}

/**
 * Patches the connection: whatever form a call has, it becomes commands that are added to a connection. One operation per statement that is
 * sent: to prepare it is part of it. Returns what undoes it.
 */
export function patchConnection(prototype: Connection, guard: Guard): () => void {
  const heard = hearingOf(prototype);
  let active = true;

  /** The methods that a connection has one of as its `addCommand`, as its state is. */
  function patchAdd(waits: boolean): (find: () => Add) => Add {
    return (find) =>
      function patchedAdd(this: Connection, command) {
        heard.hear?.(this, command, waits, patchedAdd);
        return Reflect.apply(find(), this, arguments);
      };
  }

  const hearing: Hearing["hear"] = (connection, command, waits, below) => {
    if (!guard.on) return;
    try {
      hear(connection, command, waits, below);
    } catch (error) {
      guard.failed(error);
    }
  };
  heard.hear = hearing;

  function hear(connection: Connection, command: Command, waits: boolean, below: Add): void {
    const { sql } = command;
    if (typeof sql !== "string") return;
    const known = callOf(command);
    if (known !== undefined) {
      // It has waited for its connection to open.
      if (!waits && known.early !== undefined && !isPreparation(command)) start(known, command, sql, performance.now());
      return;
    }
    // What is added before that is the driver's own.
    if (!waits && connection.status < CONNECTED) return;
    begin(connection, command, sql, waits, below);
  }

  function begin(connection: Connection, command: Command, sql: string, waits: boolean, below: Add): void {
    const state = stateOf(connection);
    const early = earlyCallOf(command.cmdParam) ?? takePrepared(connection, command, sql);
    const caller = early?.call.context ?? context.active();
    if (!hasListeners() || isSuppressed(caller)) {
      if (state.loan !== undefined) state.loan.isUnseen = true;
      return;
    }
    if (isPreparation(command)) {
      prepare(connection, command, sql, early, below);
      return;
    }
    const call = new CommandCall(
      caller,
      connection,
      early ?? (waits ? new EarlyCall(new PoolCall(caller, sql)) : undefined),
    );
    setCall(command, call);
    followRows(command, call);
    if (waits) return;
    const operation = start(call, command, sql, state.takenMs);
    if (early === undefined && siteWanted(operation.template)) {
      operation.takenSite = takeSite(operation.template, below);
    }
  }

  /** Only of a call that executes it, too. */
  function prepare(
    connection: Connection,
    command: Command,
    sql: string,
    early: EarlyCall | undefined,
    below: Add,
  ): void {
    const { cmdParam } = command;
    if (!cmdParam || !("values" in cmdParam) || cmdParam.values === null) return;
    let known = early;
    if (known === undefined) {
      known = new EarlyCall(new PoolCall(context.active(), sql));
      setEarlyCall(cmdParam, known);
      if (sitesWanted()) known.call.noteSite(stateOf(connection).targetOf(connection), below);
    }
    setCall(command, new CommandCall(known.call.context, connection, known));
  }

  /** Starts an operation that has waited for its connection until then. */
  function start(call: CommandCall, command: Command, sql: string, untilMs: number): DatabaseOperation {
    const { connection, early } = call;
    const state = stateOf(connection);
    const { initialValues: values } = command;
    const template = state.targetOf(connection).templateOf(textOf(sql, values));
    const operation =
      early === undefined
        ? startDatabaseOperation(template, sql, values, call.context)
        : early.call.start(template, sql, values, untilMs);
    if (isBatch(command)) operation.batchSize = (values as readonly unknown[]).length;
    call.operation = operation;
    if (early !== undefined) early.operation = operation;
    if (state.prepared === early) state.prepared = undefined;
    state.loan?.runs(operation);
    return operation;
  }

  const patchConnect = (find: () => Connection["connect"]): Connection["connect"] =>
    function connect(this: Connection) {
      const startMs = performance.now();
      const note = (): void => noteInfo(this);
      attempt(guard, note);
      const opened: unknown = find().call(this);
      // The driver's own promise, which it goes on with itself.
      if (opened instanceof Promise) {
        const noteOpen = (): void => {
          note();
          stateOf(this).openingMs = performance.now() - startMs;
        };
        opened.then(
          () => attempt(guard, noteOpen),
          () => {},
        );
      }
      return opened;
    };

  const patchClear = (find: () => Connection["clear"]): Connection["clear"] =>
    function clear(this: Connection) {
      try {
        if (active) stateOf(this).returned(performance.now());
      } catch (error) {
        guard.failed(error);
      }
      return find().call(this);
    };

  const undo = [
    knowConnections((resource) => findConnection(resource)),
    replaceMethod(prototype, "addCommandQueue", patchAdd(true)),
    replaceMethod(prototype, "addCommandEnable", patchAdd(false)),
    replaceMethod(prototype, "addCommandEnablePipeline", patchAdd(false)),
    replaceMethod(prototype, "addCommandDisabled", patchAdd(false)),
    replaceMethod(prototype, "connect", patchConnect),
    replaceMethod(prototype, "clear", patchClear),
  ];
  return () => {
    active = false;
    if (heard.hear === hearing) heard.hear = undefined;
    undoAll(undo);
  };
}

/** Nothing else is binary and was not prepared. */
function isPreparation(command: Command): boolean {
  return command.binary === true && !("prepare" in command);
}

/** Older releases do not tell it from what is executed once, but by its values. */
function isBatch({ binary, bulkPacketNo, initialValues: values }: Command): boolean {
  return binary === true && Array.isArray(values) && (bulkPacketNo !== undefined || Array.isArray(values[0]));
}

/** Older releases execute with other parameters than they prepare. */
function takePrepared(connection: Connection, command: Command, sql: string): EarlyCall | undefined {
  if (command.binary !== true || isPreparation(command)) return undefined;
  const state = stateOf(connection);
  const { prepared } = state;
  if (prepared?.call.text !== sql) return undefined;
  state.prepared = undefined;
  return prepared;
}

/** Rows that are handed over one by one are so in their caller's context: the driver does so in that of the connection. */
function followRows(command: Command, call: CommandCall): void {
  const { handleNewRows } = command;
  if (typeof handleNewRows !== "function") return;
  const isStream = command.inStream !== undefined;
  if (!isStream && !Object.hasOwn(command, "handleNewRows")) return;
  command.handleNewRows = function (row): unknown {
    if (isStream) call.streamed += 1;
    else if (command.listenerCount("data") === 0) return handleNewRows.call(this, row);
    return context.with(call.context, handleNewRows, this, row);
  };
}

import { performance } from "node:perf_hooks";
import { context } from "@opentelemetry/api";
import {
  type DatabaseTarget,
  failMysql,
  type Guard,
  hasListeners,
  PoolCall,
  type PoolLink,
  replaceMethod,
  sitesWanted,
  undoAll,
} from "@telltale/core";
import type { Connection, ConnectionCallback, ConnectionSource } from "./driver.js";
import { textOf } from "./query-text.js";

export interface MysqlPoolLink extends PoolLink {
  /** The name of the pool that a connection belongs to. */
  nameOf(connection: Connection): string | undefined;
}

/** The `query` or `execute` that is on the stack, on its way to the `getConnection` that it calls. */
export interface CallsOnStack {
  take(): PoolCall | undefined;
  undo(): void;
}

/** Patches the `query` and `execute` of a pool or a cluster. `targetOf` tells where they lead, where that is known before. */
export function patchCalls<Source extends ConnectionSource>(
  prototype: Source,
  targetOf: (source: Source) => DatabaseTarget | undefined,
  guard: Guard,
): CallsOnStack {
  let active = true;
  let calling: PoolCall | undefined;

  const patch = (find: () => ConnectionSource["query"]): ConnectionSource["query"] =>
    function patchedCall(this: Source, sql) {
      if (active && guard.on && hasListeners()) {
        calling = new PoolCall(context.active(), textOf(sql));
        if (sitesWanted()) noteSite(this, calling, patchedCall);
      }
      try {
        return Reflect.apply(find(), this, arguments);
      } finally {
        calling = undefined;
      }
    };

  function noteSite(source: Source, call: PoolCall, below: (...args: never[]) => unknown): void {
    try {
      call.noteSite(targetOf(source), below);
    } catch (error) {
      guard.failed(error);
    }
  }

  const undo = [replaceMethod(prototype, "query", patch), replaceMethod(prototype, "execute", patch)];
  return {
    take() {
      const call = calling;
      calling = undefined;
      return call;
    },
    undo() {
      active = false;
      undoAll(undo);
    },
  };
}

/** Calls the pool's own callback, which calls `query` of the connection at once; that takes the call and its context from the link. */
export function handOver(
  link: PoolLink,
  call: PoolCall,
  callback: ConnectionCallback,
  connection: Connection | undefined,
): unknown {
  link.handedOver = call;
  try {
    return callback(null, connection);
  } finally {
    link.handedOver = undefined;
  }
}

/** A query that never got a connection is a failed call all the same. */
export function failUnsent(target: DatabaseTarget, call: PoolCall, error: unknown): void {
  if (call.text === undefined) return;
  failMysql(call.start(target.templateOf(call.text), call.text, undefined, performance.now()), error);
}

export function isGiven(error: unknown): boolean {
  return error !== undefined && error !== null;
}

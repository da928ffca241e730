import { context } from "@opentelemetry/api";
import { findMysqlTarget, type Guard, replaceMethod } from "@telltale/core";
import type { ConnectionSource } from "./driver.js";
import { failUnsent, handOver, isGiven, patchCalls, type MysqlPoolLink } from "./pool-call.js";

/**
 * Patches the part of a cluster that a pattern names: it tries one pool after the other, and a query of its is one operation, whichever
 * pool it ran on in the end. Returns what undoes it.
 */
export function patchCluster(prototype: ConnectionSource, link: MysqlPoolLink, guard: Guard): () => void {
  const { getConnection } = prototype;
  const calls = patchCalls(prototype, () => undefined, guard);

  const undo = replaceMethod(prototype, "getConnection", () => {
    return function patchedGetConnection(this: ConnectionSource, callback: Parameters<typeof getConnection>[0]) {
      const call = calls.take();
      if (call === undefined) return getConnection.call(this, callback);
      return getConnection.call(this, (error, connection) => {
        if (!isGiven(error)) return handOver(link, call, callback, connection);
        try {
          // No pool has given a connection: it leads nowhere.
          failUnsent(findMysqlTarget("mysql2", "mysql", {}, undefined, undefined), call, error);
        } catch (failure) {
          guard.failed(failure);
        }
        return context.with(call.context, callback, undefined, error);
      });
    };
  });
  return () => {
    undo();
    calls.undo();
  };
}

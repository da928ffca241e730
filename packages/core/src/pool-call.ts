import { performance } from "node:perf_hooks";
import type { Context } from "@opentelemetry/api";
import { siteWanted, type TakenSite, takeSite } from "./call-site.js";
import type { DatabaseTarget } from "./database-targets.js";
import { type DatabaseOperation, type DatabaseTemplate, startDatabaseOperation } from "./operation.js";

/** A query of a pool's on its way to its connection: the operation began when it was called, and waits since. */
export class PoolCall {
  readonly context: Context;
  readonly startMs: number;
  readonly text: string | undefined;
  /** Where it was called, if that is wanted; on its way to the connection the caller leaves the stack. */
  private takenSite: TakenSite | undefined = undefined;

  constructor(context: Context, text: string | undefined) {
    this.context = context;
    this.startMs = performance.now();
    this.text = text;
  }

  /** Notes where it was called, below the function `below`; `target` is where its pool leads, if that is known yet. */
  noteSite(target: DatabaseTarget | undefined, below: (...args: never[]) => unknown): void {
    if (target === undefined || this.text === undefined) return;
    const template = target.templateOf(this.text);
    if (siteWanted(template)) this.takenSite = takeSite(template, below);
  }

  /** Starts its operation, which has waited until it had its connection, or lost hope of one, at `untilMs`. */
  start(template: DatabaseTemplate, text: string, parameters: unknown, untilMs: number): DatabaseOperation {
    const { context, startMs } = this;
    const waitMs = Math.max(0, untilMs - startMs);
    const operation = startDatabaseOperation(template, text, parameters, context, startMs, waitMs);
    operation.takenSite = this.takenSite;
    return operation;
  }
}

/** Where the part of an instrumentation that hears pools and the part that hears their connections meet. */
export interface PoolLink {
  /** Set while a pool hands a connection over to the query that waited for it; the connection's `query` takes it. */
  handedOver: PoolCall | undefined;
}

import type { Context, Span } from "@opentelemetry/api";
import { requestOf, spanOf } from "./context.js";
import type { InLine, Line } from "./line.js";
import type { DatabaseOperation, DatabaseTemplate } from "./operation.js";
import type { Request } from "./request.js";

/** A caller that waits because all connections are lent: from its making on, in the line of its pool. */
export class Waiter implements InLine<Waiter> {
  /** `performance.now()` when it asked. */
  readonly askedMs: number;
  readonly request: Request | undefined;
  /** The span that was active, where there was no request. */
  readonly span: Span | undefined;
  before: Waiter | undefined = undefined;
  after: Waiter | undefined = undefined;
  private line: Line<Waiter> | undefined;

  constructor(line: Line<Waiter>, caller: Context, askedMs: number) {
    this.askedMs = askedMs;
    this.request = requestOf(caller);
    this.span = this.request === undefined ? spanOf(caller) : undefined;
    this.line = line;
    line.enter(this);
  }

  /** Once: its pool may be registered anew meanwhile, and whoever tells of its end does not know in which line it waits. */
  leave(): void {
    this.line?.leave(this);
    this.line = undefined;
  }
}

/**
 * One connection of a pool as lent: who has it and what runs on it. There is one per connection, written anew with every loan; it knows
 * neither the connection nor the caller's context, and what it keeps of the request it lets go of with the connection's return, or
 * when asked to (`forgetCaller`, `forgetQuery`): a connection that never returns then keeps nothing of the app alive.
 */
export class Loan implements InLine<Loan> {
  /** `performance.now()` when it was taken; 0 while it is in the pool. */
  takenMs = 0;
  request: Request | undefined = undefined;
  /** The span that was active, where there was no request. */
  span: Span | undefined = undefined;
  /** Of the latest query. */
  template: DatabaseTemplate | undefined = undefined;
  /** Another request than the one that took it has used it: it is held for many. */
  isShared = false;
  /** It holds for its session what would be lost with the connection, such as LISTEN: it is held on purpose. */
  keepsSession = false;
  /** Something runs or ran on it that is not told of, such as a query where nothing is to be recorded: it may be in use when it looks idle. */
  isUnseen = false;
  before: Loan | undefined = undefined;
  after: Loan | undefined = undefined;
  /** Queries on one connection run one after the other: the latest to begin is the last to end. */
  private latest: DatabaseOperation | undefined = undefined;
  private current: DatabaseOperation | undefined = undefined;
  /** Time in which queries ran, before `busySinceMs`. */
  private spentMs = 0;
  private busySinceMs = 0;
  private endedMs = 0;

  /** A query begins on it, or is queued behind the one that runs. */
  runs(operation: DatabaseOperation): void {
    if (this.takenMs === 0) return;
    if (!this.isRunning()) {
      this.forgetQuery();
      this.current = operation;
      this.busySinceMs = operation.startMs + operation.waitMs;
    }
    this.latest = operation;
    const { template, request } = operation;
    this.template = template;
    if (template.session !== undefined) this.keepsSession = template.session === "kept";
    if (request !== this.request && request?.operation.endMs === 0) this.isShared = true;
  }

  isRunning(): boolean {
    return this.latest?.endMs === 0;
  }

  /** What runs now; else what ran last. */
  runningTemplate(): DatabaseTemplate | undefined {
    return this.current?.endMs === 0 ? this.current.template : this.template;
  }

  /** Since when it has been doing what it does: running queries, or nothing. */
  sinceMs(): number {
    if (this.latest === undefined) return this.endedMs === 0 ? this.takenMs : this.endedMs;
    return this.latest.endMs === 0 ? this.busySinceMs : this.latest.endMs;
  }

  /** For how long queries have run on it since it was taken. */
  busyMs(now: number): number {
    if (this.latest === undefined) return this.spentMs;
    return this.spentMs + (this.latest.endMs === 0 ? now : this.latest.endMs) - this.busySinceMs;
  }

  take(caller: Context, takenMs: number): void {
    this.takenMs = takenMs;
    this.request = requestOf(caller);
    if (this.request === undefined) this.span = spanOf(caller);
  }

  return(): void {
    this.takenMs = 0;
    this.forgetCaller();
    this.latest = undefined;
    this.current = undefined;
    this.template = undefined;
    this.isShared = false;
    this.keepsSession = false;
    this.isUnseen = false;
    this.spentMs = 0;
    this.endedMs = 0;
  }

  forgetCaller(): void {
    this.request = undefined;
    this.span = undefined;
  }

  /** Lets go of queries that have ended. */
  forgetQuery(): void {
    if (this.latest === undefined || this.latest.endMs === 0) return;
    this.endedMs = this.latest.endMs;
    this.spentMs += this.endedMs - this.busySinceMs;
    this.latest = undefined;
    this.current = undefined;
  }
}

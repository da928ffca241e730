import { Attached, type DatabaseOperation } from "@telltale/core";
import type { Query } from "./driver.js";

/** A query on its way. */
export class QueryCall {
  readonly operation: DatabaseOperation;
  /** Whether its end calls the app back. Where it only settles a promise, the context does not matter, and to enter it costs 0.5 µs. */
  readonly callsBack: boolean;

  constructor(operation: DatabaseOperation, callsBack: boolean) {
    this.operation = operation;
    this.callsBack = callsBack;
  }
}

class KnownQuery extends Attached {
  #call: QueryCall;

  constructor(query: object, call: QueryCall) {
    super(query);
    this.#call = call;
  }

  static get(query: object): QueryCall | undefined {
    return #call in query ? query.#call : undefined;
  }

  static set(query: object, call: QueryCall): void {
    try {
      // oxlint-disable-next-line no-new
      new KnownQuery(query, call);
    } catch {
      // It has one.
      (query as KnownQuery).#call = call;
    }
  }
}

/** The call that a query object stands for. */
export function callOf(query: Query): QueryCall | undefined {
  return KnownQuery.get(query);
}

export function setCall(query: Query, call: QueryCall): void {
  KnownQuery.set(query, call);
}

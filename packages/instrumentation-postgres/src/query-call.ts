import { Attached, type DatabaseOperation, PoolCall, type TakenSite, type Waiter } from "@telltale/core";
import type { Callback, Query } from "./driver.js";
import type { ConnectionState } from "./connection-state.js";
import type { PoolState } from "./pool-state.js";

/** A query on its way: it is called when it is first awaited or executed, and sent when there is a connection for it. */
export class QueryCall {
  readonly asked: PoolCall;
  /** False for what the driver asks for itself, and where nothing is to be recorded. */
  readonly isTold: boolean;
  readonly pool: PoolState | undefined;
  /** Counted as waiting. */
  isPending = false;
  isDone = false;
  waiter: Waiter | undefined = undefined;
  connection: ConnectionState | undefined = undefined;
  operation: DatabaseOperation | undefined = undefined;
  /** Where it was made, noted while sites are wanted. */
  takenSite: TakenSite | undefined = undefined;
  /** Rows that a cursor has given so far. */
  rows: number | undefined = undefined;
  /** What took the place of the query's own, to know it again. */
  resolve: Query["resolve"] | undefined = undefined;
  cursorFn: Callback | undefined = undefined;
  forEachFn: Callback | undefined = undefined;

  constructor(asked: PoolCall, isTold: boolean, pool: PoolState | undefined) {
    this.asked = asked;
    this.isTold = isTold;
    this.pool = pool;
  }
}

class KnownQuery extends Attached {
  readonly #call: QueryCall;

  constructor(query: object, call: QueryCall) {
    super(query);
    this.#call = call;
  }

  static get(query: object): QueryCall | undefined {
    return #call in query ? query.#call : undefined;
  }
}

/** The call that a query stands for, once it has been called. */
export function callOf(query: Query): QueryCall | undefined {
  return KnownQuery.get(query);
}

export function setCall(query: Query, call: QueryCall): void {
  // oxlint-disable-next-line no-new
  new KnownQuery(query, call);
}

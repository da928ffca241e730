import type { DatabaseTarget, Explainer, Loan, PoolReporter } from "@telltale/core";
import type { Client } from "./driver.js";

/** What is known of a client. */
export class ClientState {
  /** Where its queries go; found with the first one. */
  target: DatabaseTarget | undefined = undefined;
  /** Of the pool that it belongs to. */
  reporter: PoolReporter | undefined = undefined;
  /** When its pool began to open it, in ms of `performance.now()`; 0 where no pool did. */
  createdMs = 0;
  /** What its pool opened it with; undefined where no pool did. */
  poolOptions: object | undefined = undefined;
  /** Made with the first query that may be explained. */
  explainer: Explainer | undefined = undefined;
  /** Who has it; undefined where no pool opened it. */
  loan: Loan | undefined = undefined;
  /** When it was last handed out; 0 while it is idle. */
  takenMs = 0;
}

/**
 * Not a field on the client (see `Attached`): we meet it before its pool has given it all of its fields and after, in more shapes than V8
 * tells apart (200 instructions, a WeakMap 80). Clients live long, so a WeakMap costs the garbage collector nothing.
 */
const states = new WeakMap<Client, ClientState>();

/** The state of a client. */
export function stateOf(client: Client): ClientState {
  const known = states.get(client);
  if (known !== undefined) return known;
  const state = new ClientState();
  states.set(client, state);
  return state;
}

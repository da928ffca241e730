import { Attached, type DatabaseTarget, type Explainer, type Loan, type PoolReporter } from "@telltale/core";
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

class KnownClient extends Attached {
  readonly #state: ClientState;

  constructor(client: object, state: ClientState) {
    super(client);
    this.#state = state;
  }

  static stateOf(client: object): ClientState {
    if (#state in client) return client.#state;
    const state = new ClientState();
    // oxlint-disable-next-line no-new
    new KnownClient(client, state);
    return state;
  }
}

/** The state of a client, kept on it. */
export function stateOf(client: Client): ClientState {
  return KnownClient.stateOf(client);
}

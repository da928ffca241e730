import { Attached, type DatabaseTemplate } from "@telltale/core";

/** What is known of a prepared statement: found once, however often it runs. */
export class StatementState {
  readonly template: DatabaseTemplate;
  readonly text: string;

  constructor(template: DatabaseTemplate, text: string) {
    this.template = template;
    this.text = text;
  }
}

class KnownStatement extends Attached {
  readonly #state: StatementState;

  constructor(statement: object, state: StatementState) {
    super(statement);
    this.#state = state;
  }

  static stateOf(statement: object): StatementState | undefined {
    return #state in statement ? statement.#state : undefined;
  }
}

export function stateOf(statement: object): StatementState | undefined {
  return KnownStatement.stateOf(statement);
}

/** For a statement that is not known yet. */
export function setState(statement: object, state: StatementState): void {
  // oxlint-disable-next-line no-new
  if (Object.isExtensible(statement)) new KnownStatement(statement, state);
}

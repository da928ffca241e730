import { type DatabaseOperation, endOperation, failOperation } from "@telltale/core";

/** Ends a query with what it failed with. */
export function failQuery(operation: DatabaseOperation, error: unknown): void {
  if (operation.endMs !== 0) return;
  const { errno, code, sqlMessage } = (error ?? {}) as { errno?: unknown; code?: unknown; sqlMessage?: unknown };
  if (typeof sqlMessage === "string" && typeof errno === "number") {
    failOperation(
      operation,
      new ServerFailure(withoutValues(sqlMessage), typeof code === "string" ? code : `${errno}`),
    );
    operation.statusCode = `${errno}`;
  } else failOperation(operation, error);
  endOperation(operation);
}

/** What the server said, as far as it may be recorded. */
class ServerFailure extends Error {
  readonly code: string;

  constructor(message: string, code: string) {
    super(message);
    this.code = code;
  }
}

/**
 * The server quotes what it does not like: values, and the text with the values in it ("… syntax to use near '…'"). Where quotes within
 * the quote end nobody can tell.
 */
function withoutValues(message: string): string {
  return message.replace(/['"`].*$/s, "…");
}

import { type DatabaseOperation, endOperation, failOperation } from "@telltale/core";

/** What tedious itself has to say of a request; what else fails one has been thrown by the app's code, or quotes its values. */
const OF_THE_DRIVER = new Set<unknown>(["ECANCEL", "ECLOSE", "EINVALIDSTATE", "ETIMEOUT"]);
// https://learn.microsoft.com/sql/t-sql/language-elements/raiserror-transact-sql
const FIRST_OF_THE_APP = 50_000;

/** Ends a request with what it failed with. */
export function failRequest(operation: DatabaseOperation, error: unknown): void {
  if (operation.endMs !== 0) return;
  try {
    fail(operation, error);
  } catch {
    // What the app's rows throw may not even be readable.
    failOperation(operation, undefined);
  }
  endOperation(operation);
}

function fail(operation: DatabaseOperation, error: unknown): void {
  const { errors } = (error ?? {}) as { errors?: unknown };
  // Of several errors the first is the cause of the others.
  const cause: unknown = Array.isArray(errors) && errors.length > 0 ? errors[0] : error;
  const { number, code, message, name } = (cause ?? {}) as Record<"number" | "code" | "message" | "name", unknown>;
  if (typeof number === "number" && typeof message === "string") {
    operation.statusCode = `${number}`;
    const said = number < FIRST_OF_THE_APP ? withoutValues(message) : "an error that the app defines";
    failOperation(operation, new Failure(said, `${number}`));
  } else if (OF_THE_DRIVER.has(code)) failOperation(operation, cause);
  else {
    const word = typeof code === "string" ? code : typeof name === "string" ? name : "_OTHER";
    failOperation(operation, new Failure("the request failed", word));
  }
}

/** What failed a request, as far as it may be recorded. */
class Failure extends Error {
  readonly code: string;

  constructor(message: string, code: string) {
    super(message);
    this.code = code;
  }
}

/** The server quotes what it does not like, and shows keys in brackets: "… duplicate key value is (17)". */
function withoutValues(message: string): string {
  return message.replace(/['"(].*$/s, "…");
}

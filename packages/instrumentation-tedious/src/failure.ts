import { type DatabaseOperation, endOperation, failOperation } from "@telltale/core";

/** Ends a request with what it failed with. */
export function failRequest(operation: DatabaseOperation, error: unknown): void {
  if (operation.endMs !== 0) return;
  const { number, code, message } = (error ?? {}) as { number?: unknown; code?: unknown; message?: unknown };
  if (typeof number === "number" && typeof message === "string") {
    failOperation(operation, new ServerFailure(withoutValues(message), `${number}`));
    operation.statusCode = `${number}`;
  } else failOperation(operation, typeof code === "string" ? error : (error ?? new Error("the request failed")));
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

/** The server quotes what it does not like, and shows keys in brackets: "… duplicate key value is (17)". */
function withoutValues(message: string): string {
  return message.replace(/['"(].*$/s, "…");
}

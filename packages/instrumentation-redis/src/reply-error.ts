import { createLabelSet, type DatabaseOperation, failOperation } from "@telltale/core";

/** Scripts can answer with a word of their own making, so the words are bounded. */
const words = createLabelSet("redis.error", 50);

/**
 * Marks an operation as failed. The server's errors begin with a word that says what they are (`WRONGTYPE`, `MOVED`, `ERR`): that is
 * their type and status code. Errors of the client (connection lost, too many retries, time out) go by code or class.
 */
export function failCommand(operation: DatabaseOperation, error: unknown): void {
  if (operation.errorType !== undefined || operation.endMs !== 0) return;
  const word = errorWord(error);
  if (word === undefined) {
    failOperation(operation, error);
    // Those of node-redis have no name of their own.
    if (operation.errorType === "Error") operation.errorType = classOf(error);
    return;
  }
  operation.statusCode = words.bound(word);
  operation.errorType = operation.statusCode;
  operation.error = withoutArguments(error as Error);
}

/** The classes of errors that the server sent: of ioredis, of node-redis 4, and of 5 and 6. */
const REPLY_ERRORS = new Set(["ReplyError", "ErrorReply", "SimpleError", "BlobError"]);

/** True for an error that the server sent. */
export function isReplyError(error: unknown): boolean {
  return error instanceof Error && (REPLY_ERRORS.has(error.name) || REPLY_ERRORS.has(classOf(error)));
}

function classOf(error: unknown): string {
  const { constructor } = error as Error;
  return typeof constructor === "function" && constructor.name !== "" ? constructor.name : "Error";
}

export function errorWord(error: unknown): string | undefined {
  if (!isReplyError(error)) return undefined;
  return /^[A-Z]{2,20}(?=\s|$)/.exec((error as Error).message)?.[0] ?? "ERR";
}

/** The server quotes arguments in some messages (`ERR unknown command 'x', with args beginning with: 'y'`): they stay out. */
function withoutArguments(error: Error): Error {
  const { message } = error;
  if (!/['"`]/.test(message)) return error;
  const safe = new Error(message.replace(/'.*'|".*"|`.*`/gs, "?"));
  safe.name = error.name;
  return safe;
}

import type { DatabaseOperation } from "@telltale/core";
import { expect, test } from "vitest";
import { failCommand } from "../src/reply-error.js";

function replyError(message: string): Error {
  return Object.defineProperty(new Error(message), "name", { value: "ReplyError" });
}
function failed(error: unknown): DatabaseOperation {
  const operation = { endMs: 0, errorType: undefined } as unknown as DatabaseOperation;
  failCommand(operation, error);
  return operation;
}

test.each([
  ["WRONGTYPE Operation against a key holding the wrong kind of value", "WRONGTYPE"],
  ["ERR value is not an integer or out of range", "ERR"],
  ["MOVED 3999 127.0.0.1:6381", "MOVED"],
  ["NOSCRIPT No matching script. Please use EVAL.", "NOSCRIPT"],
  ["EXECABORT Transaction discarded because of previous errors.", "EXECABORT"],
  ["user 42 not found", "ERR"],
  ["ID42 not found", "ERR"],
])("the server's %j is of type %s", (message, type) => {
  expect(failed(replyError(message))).toMatchObject({ errorType: type, statusCode: type });
});

test("errors of the client go by code or class and have no status", () => {
  const refused = Object.assign(new Error("connect ECONNREFUSED 127.0.0.1:1"), { code: "ECONNREFUSED" });
  expect(failed(refused)).toMatchObject({ errorType: "ECONNREFUSED", error: refused });
  expect(failed(refused).statusCode).toBeUndefined();
  class MaxRetriesPerRequestError extends Error {
    override name = "MaxRetriesPerRequestError";
  }
  expect(failed(new MaxRetriesPerRequestError()).errorType).toBe("MaxRetriesPerRequestError");
});

test("arguments that the server quotes do not stay in the message", () => {
  const { error } = failed(replyError("ERR unknown command 'foo', with args beginning with: 'pa'ss' 'word' "));
  expect((error as Error).message).toBe("ERR unknown command ? ");
});

test("the first error stays", () => {
  const operation = failed(replyError("ERR one"));
  failCommand(operation, replyError("WRONGTYPE two"));
  expect(operation.errorType).toBe("ERR");
});

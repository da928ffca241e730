import { ROOT_CONTEXT } from "@opentelemetry/api";
import {
  endOperation,
  type Finding,
  findingMade,
  type HttpServerOperation,
  startHttpServerOperation,
} from "@telltale/core";
import { getRequest } from "@telltale/test/requests";
import { expect, test } from "vitest";
import { expectNoNPlusOne } from "../src/index.js";

const serve = (): HttpServerOperation => startHttpServerOperation(getRequest("/orders"), ROOT_CONTEXT);
const find = (kind: Finding["kind"]): void =>
  findingMade({ kind, title: "GET /orders runs SELECT items 25 times", advice: "Read all at once." } as Finding);

test("gives what was run when its requests were sound", async () => {
  expect(
    await expectNoNPlusOne(async () => {
      endOperation(serve());
      find("slow_query");
      return 7;
    }),
  ).toBe(7);
});

test.each(["n_plus_one", "duplicate_query", "repeated_lookup"] as const)(
  "fails with the sentence of what was found: %s",
  async (kind) => {
    const run = expectNoNPlusOne(() => {
      const operation = serve();
      // The response reaches its reader before the request has ended.
      setTimeout(() => {
        find(kind);
        endOperation(operation);
      }, 20);
    });
    await expect(run).rejects.toThrow("GET /orders runs SELECT items 25 times. Read all at once.");
  },
);

test("fails when no request was served: then nothing could be found", async () => {
  await expect(expectNoNPlusOne(() => {})).rejects.toThrow("without one there is nothing to find");
});

test("what is run may fail itself", async () => {
  await expect(expectNoNPlusOne(() => Promise.reject(new TypeError("own")))).rejects.toThrow(TypeError);
});

import { expect, test } from "vitest";
import { describeSpan } from "../src/store/describe-span.js";

// Kinds as OTLP numbers them.
test.each([
  ["a server's, called by another service", 2, true, true],
  ["a consumer's", 5, true, true],
  ["a job's: internal, of nobody", 1, false, true],
  ["of nobody knows what, of nobody", 0, false, true],
  ["a query that the program makes by itself", 3, false, false],
  ["a message that it sends by itself", 4, false, false],
  ["a step of a request", 1, true, false],
  ["a call of a request", 3, true, false],
])("is %s where work begins?", (_, kind, hasParent, begins) => {
  const described = describeSpan({ kind }, "GET", hasParent);
  expect(described.isEntry).toBe(begins);
  expect(described.route).toBe(begins ? "GET" : null);
});

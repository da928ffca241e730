import type { Expect } from "expect";
import { handFindings } from "./finding-channel.js";
import { matchers, type TelltaleMatchers } from "./matchers.js";

declare global {
  // oxlint-disable-next-line typescript/no-namespace
  namespace jest {
    // oxlint-disable-next-line no-unused-vars
    interface Matchers<R, T> extends TelltaleMatchers {}
  }
}

declare module "expect" {
  // oxlint-disable-next-line no-unused-vars
  interface Matchers<R extends void | Promise<void>, T = unknown> extends TelltaleMatchers {}
}

interface JestGlobals {
  readonly expect: Expect;
  readonly afterAll: (run: () => void) => void;
}

// A setup file of Jest: `setupFilesAfterEnv: ["@telltale/testkit/jest"]`.
const { expect, afterAll } = globalThis as unknown as JestGlobals;
expect.extend(matchers);
// What a test file has loaded lives on beside the next one.
afterAll(handFindings(() => expect.getState().testPath));

export { collectOperations } from "./collect-operations.js";
export { expectNoFindings, expectQueryCount } from "./expectations.js";
export { type TelltaleMatchers } from "./matchers.js";
export { showModules } from "./show-modules.js";

import { expect } from "vitest";
import { handFindings } from "./finding-channel.js";
import { matchers, type TelltaleMatchers } from "./matchers.js";

declare module "vitest" {
  // oxlint-disable-next-line no-unused-vars
  interface Matchers<R extends void | Promise<void> = void | Promise<void>, T = unknown> extends TelltaleMatchers {}
}

// A setup file of vitest: `setupFiles: ["@telltale/testkit/vitest"]`.
expect.extend(matchers);
handFindings(() => expect.getState().testPath);

export type { TelltaleMatchers } from "./matchers.js";

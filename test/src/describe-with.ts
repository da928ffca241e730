import { describe, test } from "vitest";
import { whyUnavailable } from "./servers/index.js";
import type { ServerName } from "./servers/index.js";

declare module "vitest" {
  interface TaskMeta {
    /** Why tests that need a server did not run. */
    missing?: string;
  }
}

/**
 * A `describe` whose tests need these servers. Where one is missing they are skipped, and the end of the run says
 * why; with CI set that is a failure. Start the servers in a `beforeAll` within.
 */
export function describeWith(servers: readonly ServerName[], title: string, tests: () => void | Promise<void>): void {
  describe(title, async () => {
    const reasons = await Promise.all(servers.map(whyUnavailable));
    const missing = reasons.filter((reason) => reason !== undefined).join("; ");
    if (missing === "") return tests();
    if (isCi()) {
      test(`needs ${servers.join(", ")}`, () => {
        throw new Error(missing);
      });
    } else describe.skip("without its servers", { meta: { missing } }, tests);
  });
}

function isCi(): boolean {
  const ci = process.env["CI"];
  return ci !== undefined && ci !== "" && ci !== "0" && ci !== "false";
}

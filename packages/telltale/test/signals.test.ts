import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { type OtlpReceiver, startOtlpReceiver } from "@telltale/testkit";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";

const path = (name: string) => fileURLToPath(new URL(name, import.meta.url));
const program = path("programs/signals.cjs");
const ownSignals = path("programs/own-signals.cjs");
const [register, library] = [path("../register.cjs"), path("../dist/index.cjs")];

let receiver: OtlpReceiver;
beforeAll(async () => {
  receiver = await startOtlpReceiver();
});
beforeEach(() => receiver.reset());
afterAll(() => receiver.close());

async function run(nodeOptions: string[], args: string[], script = program) {
  const child = spawn(process.env.TRYNODE ?? process.execPath, [...nodeOptions, script, ...args], {
    stdio: ["ignore", "pipe", "inherit"],
    env: {
      OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
      OTEL_METRICS_EXPORTER: "none",
      OTEL_BSP_SCHEDULE_DELAY: "60000",
      TELLTALE_LOG: "silent",
    },
  });
  let stdout = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  const timer = setTimeout(() => child.kill("SIGKILL"), 10_000);
  const [code, signal] = (await once(child, "close")) as [number | null, string | null];
  clearTimeout(timer);
  return { code, signal, stdout };
}

const ways = ["default", "once", "first", "removed", "all removed", "twice", "throws", "arguments"];

describe.each(ways)("a signal that meets the listeners: %s", (way) => {
  test("ends the process as it does alone, and spans are delivered", async () => {
    const alone = await run([], [way]);
    expect(await run(["--require", register], [way])).toEqual(alone);
    // The last leaves at once.
    if (way !== "arguments") expect(receiver.spans.map(({ name }) => name)).toContain("work");
  });

  test("where start() comes after them", async () => {
    const alone = await run([], [way]);
    expect(await run([], [way, library])).toEqual(alone);
  });
});

describe("a signal that nobody handles", () => {
  test.each(["name", "number", "exit", "graceful", "busy", "busy with a span"])(
    "%s: ends the process as alone",
    async (way) => {
      const alone = await run([], [way], ownSignals);
      expect(alone).toEqual({ code: null, signal: way === "number" ? "SIGINT" : "SIGTERM", stdout: "" });
      expect(await run(["--require", register], [way], ownSignals)).toEqual(alone);
      const expected = ["graceful", "busy with a span"].includes(way) ? ["work"] : [];
      expect(receiver.spans.map(({ name }) => name)).toEqual(expected);
    },
  );
});

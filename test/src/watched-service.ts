import { drawTrace, type OtlpReceiver, waitFor } from "@telltale/testkit";
import { expect } from "vitest";
import { fixture } from "./run-program.js";
import { testNodes } from "./servers/index.js";
import { startProgram } from "./start-program.js";

/** A program that serves HTTP, with the preload, whose spans go to a receiver. */
export interface WatchedService {
  readonly url: string;
  readonly metricsUrl: string;
  /** What a request was, drawn by `label`, once there are so many spans. */
  traceOf(path: string, spans: number, label?: Parameters<typeof drawTrace>[1]): Promise<string>;
  stop(): Promise<void>;
}

/** Each Node, with a service as CommonJS and as an ES module. */
export async function serviceWays(): Promise<{ version: string; binary: string; program: string }[]> {
  return (await testNodes()).flatMap(({ version, binary }) =>
    ["app.cjs", "app.mjs"].map((program) => ({ version, binary, program })),
  );
}

export async function startService(
  program: string,
  node: string,
  receiver: OtlpReceiver,
  env: Readonly<Record<string, string>> = {},
): Promise<WatchedService> {
  const service = startProgram(fixture(program), {
    node,
    env: {
      OTEL_TRACES_EXPORTER: "otlp",
      OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
      OTEL_EXPORTER_PROMETHEUS_PORT: "0",
      OTEL_BSP_SCHEDULE_DELAY: "20",
      ...env,
    },
  });
  const url = `http://127.0.0.1:${(await service.said(/listening on (\d+)/, 1))[0]?.[1]}`;
  return {
    url,
    metricsUrl: (await service.said(/metrics: (http:\S+)/, 1))[0]?.[1] ?? "",
    async traceOf(path, spans, label = ({ name }) => name) {
      expect((await fetch(url + path)).status).toBe(200);
      await receiver.waitForSpans((received) => received.length >= spans);
      return drawTrace(receiver.spans, label);
    },
    async stop() {
      service.child.kill("SIGTERM");
      await waitFor(() => service.child.exitCode !== null, "the service to end", 5_000).catch(() => service.kill());
    },
  };
}

import { describe, expect, test } from "vitest";
import { pointAt } from "../src/cli/dev/environment.js";
import { readEnvironment } from "../src/config/environment.js";

const URL_OF_VIEWER = "http://localhost:4318";

describe("telltale dev", () => {
  test("asks for everything, at once, in words that Telltale knows", () => {
    const { env, theirs } = pointAt(URL_OF_VIEWER, { PATH: "/bin", OTEL_TRACES_SAMPLER: " " });
    expect(theirs).toEqual([]);
    expect(env["PATH"]).toBe("/bin");
    const { options, problems } = readEnvironment(env);
    expect(problems).toEqual([]);
    expect(options).toMatchObject({
      traces: { endpoint: URL_OF_VIEWER, protocol: "http/protobuf", exporters: ["otlp"], sampler: "always_on" },
      metrics: { endpoint: URL_OF_VIEWER, protocol: "http/protobuf", exporters: ["otlp"], intervalMs: 1_000 },
    });
    expect(env["OTEL_LOGS_EXPORTER"]).toBe("otlp");
  });

  const GIVEN: [name: string, value: string, isTold: boolean][] = [
    ["OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318", true],
    ["OTEL_EXPORTER_OTLP_ENDPOINT", `${URL_OF_VIEWER}/`, false],
    ["OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "http://collector:4318/v1/logs", true],
    ["OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", true],
    ["OTEL_EXPORTER_OTLP_PROTOCOL", "http/json", false],
    ["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "grpc", true],
    ["OTEL_TRACES_EXPORTER", "none", true],
    ["OTEL_METRICS_EXPORTER", "prometheus", true],
    ["OTEL_METRICS_EXPORTER", "prometheus, otlp", false],
    ["OTEL_TRACES_SAMPLER", "traceidratio", true],
    ["OTEL_TRACES_SAMPLER", "parentbased_always_on", false],
    ["OTEL_SDK_DISABLED", "true", true],
    ["OTEL_SDK_DISABLED", "false", false],
    ["OTEL_METRIC_EXPORT_INTERVAL", "30000", false],
  ];
  test.each(GIVEN)("leaves %s=%s as it is; told: %s", (name, value, isTold) => {
    const { env, theirs } = pointAt(URL_OF_VIEWER, { [name]: value });
    expect(env[name]).toBe(value);
    expect(theirs).toEqual(isTold ? [name] : []);
  });
});

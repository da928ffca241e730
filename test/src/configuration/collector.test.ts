import { expect, test } from "vitest";
import { type CollectorConfig, findCollectorProblems } from "./collector.js";

const good = (): CollectorConfig => ({
  receivers: { otlp: { protocols: { grpc: { endpoint: "0.0.0.0:4317" } } } },
  processors: { memory_limiter: { check_interval: "1s", limit_mib: 100 }, batch: {} },
  exporters: { "otlp_grpc/tempo": { endpoint: "tempo:4317", tls: { insecure: true } } },
  service: {
    pipelines: {
      traces: { receivers: ["otlp"], processors: ["memory_limiter", "batch"], exporters: ["otlp_grpc/tempo"] },
    },
    telemetry: { metrics: { readers: [] } },
  },
});

const traces = (change: Partial<CollectorConfig["service"]["pipelines"][string]>): CollectorConfig["service"] => ({
  ...good().service,
  pipelines: {
    traces: { receivers: ["otlp"], processors: ["memory_limiter", "batch"], exporters: ["otlp_grpc/tempo"], ...change },
  },
});
const policies = (...list: unknown[]): Partial<CollectorConfig> => ({
  processors: { ...good().processors, tail_sampling: { policies: list } },
  service: traces({ processors: ["memory_limiter", "tail_sampling", "batch"] }),
});

test("a good one has no problems", () => {
  expect(findCollectorProblems(good())).toEqual([]);
});

test.each<[what: string, change: Partial<CollectorConfig>, problem: string]>([
  [
    "an exporter that is not there",
    { service: traces({ exporters: ["otlp_grpc/tempo", "otlp_grpc/jaeger"] }) },
    "exporter otlp_grpc/jaeger is used and not defined",
  ],
  [
    "an exporter that nobody uses",
    { exporters: { ...good().exporters, "otlp_grpc/jaeger": { endpoint: "jaeger:4317" } } },
    "exporter otlp_grpc/jaeger is defined and not used",
  ],
  [
    "an extension that is not there",
    { extensions: {}, service: { ...good().service, extensions: ["health_check"] } },
    "extension health_check is used and not defined",
  ],
  [
    "a misspelt key",
    { processors: { ...good().processors, batch: { time_out: "1s" } } },
    "processor batch: time_out is not known",
  ],
  [
    "a misspelt key further down",
    { exporters: { "otlp_grpc/tempo": { endpoint: "tempo:4317", tls: { insecur: true } } } },
    "exporter otlp_grpc/tempo.tls: insecur is not known",
  ],
  [
    "a late memory limiter",
    { service: traces({ processors: ["batch", "memory_limiter"] }) },
    "pipeline traces: memory_limiter is not the first",
  ],
  [
    "an endpoint given to the balancer's client",
    {
      exporters: { loadbalancing: { protocol: { otlp: { endpoint: "a:1" } } } },
      service: traces({ exporters: ["loadbalancing"] }),
    },
    "exporter loadbalancing.protocol.otlp: endpoint is not known",
  ],
  [
    "a policy without settings",
    policies({ name: "slow", type: "latency" }),
    "policy slow has no settings of its type latency",
  ],
  [
    "a policy within another",
    policies({
      name: "both",
      type: "and",
      and: { and_sub_policy: [{ name: "slow", type: "latency", latency: { treshold_ms: 1 } }] },
    }),
    "policy slow.latency: treshold_ms is not known",
  ],
])("%s", (_, change, problem) => {
  expect(findCollectorProblems({ ...good(), ...change })).toEqual(expect.arrayContaining([problem]));
});

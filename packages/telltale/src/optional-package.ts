import { createRequire } from "node:module";
import { sayOnce } from "@telltale/core";
import type { Config } from "./config/resolve.js";

const require = createRequire(import.meta.url);

/** A package that the user installs only where it is wanted; undefined, and one line, where it is missing. */
export function loadOptional(name: string, consequence: string): unknown {
  return isInstalled(name, consequence) ? (require(name) as unknown) : undefined;
}

function isInstalled(name: string, consequence: string): boolean {
  try {
    require.resolve(name);
    return true;
  } catch {
    // By name: the command line is bundled into another folder than the preload.
    const { peerDependencies } = require(require.resolve("telltale/package.json")) as {
      peerDependencies: Record<string, string>;
    };
    sayOnce(
      "error",
      `${consequence}: it takes a package that is not installed; npm install ${name}@${peerDependencies[name]}`,
    );
    return false;
  }
}

/** The configuration without the exporters whose package is missing. */
export function leaveOutMissing(config: Config): Config {
  const { traces = {}, metrics = {} } = config;
  const left = (exporters: readonly string[], signal: string, packages: Readonly<Record<string, string>>) =>
    exporters.filter((exporter) => {
      const name = packages[exporter];
      return name === undefined || isInstalled(name, `${signal} are not exported (${exporter})`);
    });
  return {
    ...config,
    traces: {
      ...traces,
      exporters: left(traces.exporters ?? ["otlp"], "traces", {
        zipkin: "@opentelemetry/exporter-zipkin",
        ...(traces.protocol === "grpc" && { otlp: "@opentelemetry/exporter-trace-otlp-grpc" }),
      }) as typeof traces.exporters & {},
    },
    metrics: {
      ...metrics,
      exporters: left(metrics.exporters ?? ["prometheus"], "metrics", {
        ...(metrics.protocol === "grpc" && { otlp: "@opentelemetry/exporter-metrics-otlp-grpc" }),
      }) as typeof metrics.exporters & {},
    },
  };
}

import { getStringListFromEnv } from "@opentelemetry/core";
import {
  defaultResource,
  envDetector,
  hostDetector,
  osDetector,
  processDetector,
  type Resource,
  type ResourceDetector,
  resourceFromAttributes,
  serviceInstanceIdDetector,
} from "@opentelemetry/resources";
import { sayOnce } from "@telltale/core";
import type { Config } from "./config/resolve.js";

/** Command lines carry passwords more often than anybody expects; what ran is told by `process.command` already. */
const withoutArguments: ResourceDetector = {
  detect(config) {
    const { attributes = {} } = processDetector.detect(config);
    const { "process.command_args": _, ...rest } = attributes;
    return { attributes: rest };
  },
};

/** By the names of `OTEL_NODE_RESOURCE_DETECTORS`. */
const DETECTORS: Readonly<Record<string, ResourceDetector>> = {
  serviceinstance: serviceInstanceIdDetector,
  process: withoutArguments,
  host: hostDetector,
  os: osDetector,
  env: envDetector,
};

/** The weakest resource: the SDK's own attributes, and the app's package name as the service's. */
export function baseResource(config: Config): Resource {
  const { packageName } = config;
  return packageName === undefined
    ? defaultResource()
    : defaultResource().merge(resourceFromAttributes({ "service.name": packageName }));
}

/** Detectors in force, weakest first; what the configuration says comes last. */
export function resourceDetectors(config: Config): ResourceDetector[] {
  const chosen = getStringListFromEnv("OTEL_NODE_RESOURCE_DETECTORS") ?? ["all"];
  const names = chosen.includes("all") ? Object.keys(DETECTORS) : chosen.filter((name) => name !== "none");
  const detectors = names.flatMap((name) => {
    const detector = DETECTORS[name];
    if (detector === undefined) {
      const known = Object.keys(DETECTORS).join(", ");
      sayOnce(
        "info",
        `OTEL_NODE_RESOURCE_DETECTORS: unknown detector "${name}" is left out; known are ${known}, all, none`,
      );
    }
    return detector ?? [];
  });
  const attributes = {
    ...config.resourceAttributes,
    ...(config.serviceName && { "service.name": config.serviceName }),
  };
  return [...detectors, { detect: () => ({ attributes }) }];
}

import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import os from "node:os";
import { getStringListFromEnv } from "@opentelemetry/core";
import {
  defaultResource,
  detectResources,
  envDetector,
  osDetector,
  type Resource,
  type ResourceDetector,
  resourceFromAttributes,
} from "@opentelemetry/resources";
import { sayOnce } from "@telltale/core";
import type { Config } from "./config/resolve.js";

type Found = Record<string, string | number | undefined>;

const instanceId = randomUUID();

/** By the names of `OTEL_NODE_RESOURCE_DETECTORS`. Nothing here waits, asks a server or runs a command, as some of the SDK's own do. */
const DETECTORS: Readonly<Record<string, ResourceDetector>> = {
  serviceinstance: detector(() => ({ "service.instance.id": instanceId })),
  // Command lines carry passwords more often than anybody expects, and the owner's name may have to come from a directory server.
  process: detector(() => ({
    "process.pid": process.pid,
    "process.executable.name": process.title,
    "process.executable.path": process.execPath,
    "process.command": process.argv[1],
    "process.runtime.name": "nodejs",
    "process.runtime.version": process.versions.node,
    "process.runtime.description": "Node.js",
  })),
  host: detector(() => ({
    "host.name": os.hostname(),
    "host.arch": ARCHITECTURES[os.arch()] ?? os.arch(),
    "host.id": readHostId(),
  })),
  os: osDetector,
  // AWS Lambda only. Functions are deployed together, with one package.json, and are services of their own.
  aws: detector(() => {
    const { env } = process;
    const name = env["AWS_LAMBDA_FUNCTION_NAME"];
    if (name === undefined) return {};
    const memory = Number(env["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]) * 1024 * 1024;
    return {
      "service.name": name,
      "cloud.provider": "aws",
      "cloud.platform": "aws_lambda",
      "cloud.region": env["AWS_REGION"],
      "faas.name": name,
      "faas.version": env["AWS_LAMBDA_FUNCTION_VERSION"],
      "faas.instance": env["AWS_LAMBDA_LOG_STREAM_NAME"],
      "faas.max_memory": Number.isNaN(memory) ? undefined : memory,
    };
  }),
  env: envDetector,
};

/** Node's names of architectures that the conventions name otherwise. */
const ARCHITECTURES: Readonly<Record<string, string>> = { arm: "arm32", ppc: "ppc32", x64: "amd64" };
const HOST_ID_FILES = ["/etc/machine-id", "/var/lib/dbus/machine-id"];

/** Systems other than Linux tell it to commands only. */
function readHostId(): string | undefined {
  for (const file of os.platform() === "linux" ? HOST_ID_FILES : []) {
    try {
      return readFileSync(file, "utf8").trim();
    } catch {
      // Containers have none.
    }
  }
  return undefined;
}

function detector(find: () => Found): ResourceDetector {
  return {
    detect: () => ({
      attributes: Object.fromEntries(Object.entries(find()).filter(([, value]) => value !== undefined)),
    }),
  };
}

/** What the telemetry is about: what the SDK and the detectors know, and what the configuration says. */
export function createResource(config: Config): Resource {
  const { packageName, sdk = {} } = config;
  let resource = sdk.resource ?? defaultResource();
  if (sdk.resource === undefined && packageName !== undefined) {
    resource = resource.merge(resourceFromAttributes({ "service.name": packageName }));
  }
  if (sdk.autoDetectResources !== false) {
    resource = resource.merge(detectResources({ detectors: sdk.resourceDetectors ?? chooseDetectors(config) }));
  }
  return sdk.serviceName === undefined
    ? resource
    : resource.merge(resourceFromAttributes({ "service.name": sdk.serviceName }));
}

/** Detectors in force, weakest first; what the configuration says comes last. */
function chooseDetectors(config: Config): ResourceDetector[] {
  const chosen = getStringListFromEnv("OTEL_NODE_RESOURCE_DETECTORS") ?? ["all"];
  const names = chosen.includes("all") ? Object.keys(DETECTORS) : chosen.filter((name) => name !== "none");
  const detectors = names.flatMap((name) => {
    const known = Object.hasOwn(DETECTORS, name) ? DETECTORS[name] : undefined;
    if (known === undefined) {
      const all = Object.keys(DETECTORS).join(", ");
      sayOnce(
        "info",
        `OTEL_NODE_RESOURCE_DETECTORS: unknown detector "${name}" is left out; known are ${all}, all, none`,
      );
    }
    return known ?? [];
  });
  const attributes = {
    ...config.resourceAttributes,
    ...(config.serviceName && { "service.name": config.serviceName }),
  };
  return [...detectors, { detect: () => ({ attributes }) }];
}

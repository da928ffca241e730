/** An instrumentation of OpenTelemetry's, or made like those, for libraries that Telltale has none for. */
export interface Upstream {
  /** The package to install. */
  readonly package: string;
  /** What it hears, by the names that apps load. */
  readonly libraries: readonly string[];
  /** The last major that it knows, where the library has a newer one. */
  readonly newest?: number;
  /** Packages inside of others that it patches; apps do not load them by themselves. */
  readonly inner?: readonly string[];
}

/**
 * By the word that turns it off. What runs on a driver that Telltale hears is not among them (ORMs, and pools), nor what changes log lines:
 * each call is told once.
 */
export const UPSTREAM = {
  amqplib: { package: "@opentelemetry/instrumentation-amqplib", libraries: ["amqplib"] },
  "aws-sdk": {
    package: "@opentelemetry/instrumentation-aws-sdk",
    libraries: [],
    inner: [
      "@smithy/smithy-client",
      "@smithy/middleware-stack",
      "@smithy/core",
      "@aws-sdk/smithy-client",
      "@aws-sdk/middleware-stack",
    ],
  },
  bullmq: { package: "@appsignal/opentelemetry-instrumentation-bullmq", libraries: ["bullmq"], newest: 5 },
  "cassandra-driver": {
    package: "@opentelemetry/instrumentation-cassandra-driver",
    libraries: ["cassandra-driver"],
  },
  connect: { package: "@opentelemetry/instrumentation-connect", libraries: ["connect"] },
  cucumber: { package: "@opentelemetry/instrumentation-cucumber", libraries: ["@cucumber/cucumber"] },
  dataloader: { package: "@opentelemetry/instrumentation-dataloader", libraries: ["dataloader"] },
  graphql: { package: "@opentelemetry/instrumentation-graphql", libraries: ["graphql"], newest: 16 },
  grpc: { package: "@opentelemetry/instrumentation-grpc", libraries: ["@grpc/grpc-js"] },
  kafkajs: { package: "@opentelemetry/instrumentation-kafkajs", libraries: ["kafkajs"] },
  "lru-memoizer": { package: "@opentelemetry/instrumentation-lru-memoizer", libraries: ["lru-memoizer"] },
  mysql: { package: "@opentelemetry/instrumentation-mysql", libraries: ["mysql"] },
  openai: { package: "@opentelemetry/instrumentation-openai", libraries: ["openai"] },
  oracledb: { package: "@opentelemetry/instrumentation-oracledb", libraries: ["oracledb"] },
  restify: { package: "@opentelemetry/instrumentation-restify", libraries: ["restify"] },
  "socket.io": { package: "@opentelemetry/instrumentation-socket.io", libraries: ["socket.io"] },
} as const satisfies Readonly<Record<string, Upstream>>;

export type UpstreamName = keyof typeof UPSTREAM;

export const UPSTREAM_NAMES = Object.keys(UPSTREAM) as UpstreamName[];

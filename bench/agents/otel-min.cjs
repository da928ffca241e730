"use strict";
// The least that upstream offers for this app: its SDK with four instrumentations, exporting in batches.
const { createRequire } = require("node:module");
const load = createRequire(`${process.env.BENCH_PEER}/package.json`);

const { OTLPTraceExporter } = load("@opentelemetry/exporter-trace-otlp-proto");
const { ExpressInstrumentation } = load("@opentelemetry/instrumentation-express");
const { HttpInstrumentation } = load("@opentelemetry/instrumentation-http");
const { IORedisInstrumentation } = load("@opentelemetry/instrumentation-ioredis");
const { PgInstrumentation } = load("@opentelemetry/instrumentation-pg");
const { NodeSDK } = load("@opentelemetry/sdk-node");
const { BatchSpanProcessor } = load("@opentelemetry/sdk-trace");

new NodeSDK({
  spanProcessors: [new BatchSpanProcessor({ exporter: new OTLPTraceExporter() })],
  instrumentations: [
    new HttpInstrumentation(),
    new ExpressInstrumentation(),
    new PgInstrumentation(),
    new IORedisInstrumentation(),
  ],
}).start();

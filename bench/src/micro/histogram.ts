import { ROOT_CONTEXT } from "@opentelemetry/api";
import { MeterProvider, MetricReader } from "@opentelemetry/sdk-metrics";
import { METRICS, startDatabaseOperation } from "@telltale/core";
import { createMetrics } from "@telltale/metrics";
import { makeTemplates } from "../query-templates.js";
import type { Micro } from "./micro.js";

class IdleReader extends MetricReader {
  protected override async onForceFlush(): Promise<void> {}
  protected override async onShutdown(): Promise<void> {}
}

/** One value into one histogram, which the cells of Telltale are for. */
export function histogram(): Micro[] {
  const [template] = makeTemplates(1);
  if (template === undefined) return [];
  const { listener } = createMetrics({ runtime: false });
  const operation = startDatabaseOperation(template, undefined, undefined, ROOT_CONTEXT);
  operation.endMs = operation.startMs + 2;
  const recorder = new MeterProvider({ readers: [new IdleReader()] }).getMeter("bench").createHistogram("duration", {
    advice: { explicitBucketBoundaries: [...(METRICS.dbOperationDuration.buckets ?? [])] },
  });
  const attributes = () => ({
    "db.system.name": "postgresql",
    "db.namespace": "bench",
    "db.operation.name": "SELECT",
    "db.collection.name": "items",
    "db.query.summary": "SELECT items",
    "server.address": "127.0.0.1",
    "server.port": 5432,
  });
  const same = attributes();
  return [
    { name: "a query's duration (Telltale)", run: () => listener.operationEnded?.(operation) },
    { name: "record with 7 attributes (SDK)", run: () => recorder.record(0.002, attributes()) },
    { name: "record with the same attributes object (SDK)", run: () => recorder.record(0.002, same) },
  ];
}

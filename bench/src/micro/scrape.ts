import { ROOT_CONTEXT } from "@opentelemetry/api";
import { PrometheusSerializer } from "@opentelemetry/exporter-prometheus";
import { type MetricProducer, MeterProvider, MetricReader } from "@opentelemetry/sdk-metrics";
import { addListener, endOperation, startDatabaseOperation } from "@telltale/core";
import { createRenderer, negotiateFormat } from "@telltale/exporter-prometheus";
import { createMetrics } from "@telltale/metrics";
import { makeTemplates } from "../query-templates.js";
import type { Micro } from "./micro.js";

const TEMPLATES = 100;
/** Ten buckets, sum and count. */
const SERIES = TEMPLATES * 12;

class PullReader extends MetricReader {
  constructor(producer: MetricProducer) {
    super({ metricProducers: [producer] });
  }
  protected override async onForceFlush(): Promise<void> {}
  protected override async onShutdown(): Promise<void> {}
}

/** A page of the histograms of a hundred queries, per series. */
export async function scrape(): Promise<Micro[]> {
  const { listener, producer } = createMetrics({ runtime: false });
  addListener(listener);
  for (const template of makeTemplates(TEMPLATES)) {
    endOperation(startDatabaseOperation(template, undefined, undefined, ROOT_CONTEXT));
  }
  const reader = new PullReader(producer);
  // A reader collects nothing before it belongs to a provider.
  void new MeterProvider({ readers: [reader] });
  const { resourceMetrics } = await reader.collect();
  const renderer = createRenderer({
    naming: "UnderscoreEscapingWithSuffixes",
    labelsScope: () => false,
    resourceLabels: [],
    limit: { bytes: Infinity, cut: () => {} },
    dropped: () => {},
  });
  const upstream = new PrometheusSerializer();
  const write = (format: string, accept: string): Micro => ({
    name: `write the page (${format})`,
    operations: SERIES,
    async run() {
      const chunks: Buffer[] = [];
      for await (const chunk of await renderer(resourceMetrics, negotiateFormat(accept))) chunks.push(chunk);
      return Buffer.concat(chunks);
    },
  });
  return [
    { name: "collect", operations: SERIES, run: () => reader.collect() },
    write("text", "text/plain"),
    write("OpenMetrics", "application/openmetrics-text"),
    write("protobuf", "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"),
    {
      name: "write the page (upstream)",
      operations: SERIES,
      run: () => upstream.serialize(resourceMetrics),
    },
  ];
}

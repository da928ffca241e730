import { createRequire } from "node:module";
import { createNoopMeter, type Meter, type MeterOptions, type MeterProvider } from "@opentelemetry/api";
import type { Resource } from "@opentelemetry/resources";
import type {
  CollectionResult,
  IMetricReader,
  MeterProvider as SdkMeterProvider,
  MetricProducer,
  ViewOptions,
} from "@opentelemetry/sdk-metrics";
import { makeHarmless } from "./harmless-meter.js";

const require = createRequire(import.meta.url);

/** The SDK's meter provider, made when the app asks for its first meter: Telltale's own metrics need none. */
export interface LateMeterProvider extends MeterProvider {
  forceFlush(): Promise<void>;
  shutdown(): Promise<void>;
}

export function createMeterProvider(
  resource: Resource,
  readers: readonly IMetricReader[],
  views: ViewOptions[] = [],
): LateMeterProvider {
  const late = readers.map((reader) => new LateReader(reader, resource));
  let provider: SdkMeterProvider | undefined;
  let closed = false;
  return {
    getMeter(name: string, version?: string, options?: MeterOptions): Meter {
      if (provider === undefined) {
        const sdk = require("@opentelemetry/sdk-metrics") as typeof import("@opentelemetry/sdk-metrics");
        provider = new sdk.MeterProvider({ resource, views, readers: closed ? [] : late });
      }
      try {
        return makeHarmless(provider.getMeter(name, version, options));
      } catch {
        // A name that is none throws when it is read.
        return createNoopMeter();
      }
    },
    async forceFlush() {
      await Promise.all(readers.map((reader) => reader.forceFlush()));
    },
    async shutdown() {
      if (closed) return;
      closed = true;
      await (provider?.shutdown() ?? Promise.all(readers.map((reader) => reader.shutdown())));
    },
  };
}

/** Stands for a reader before the provider, and for the provider before the reader, until there is one. */
class LateReader implements IMetricReader {
  readonly #reader: IMetricReader;
  #producer: MetricProducer | undefined;

  constructor(reader: IMetricReader, resource: Resource) {
    this.#reader = reader;
    const nothing: CollectionResult = { resourceMetrics: { resource, scopeMetrics: [] }, errors: [] };
    reader.setMetricProducer({
      collect: async (options) => this.#producer?.collect(options) ?? nothing,
    });
  }

  setMetricProducer(producer: MetricProducer): void {
    this.#producer = producer;
  }
  selectAggregation: IMetricReader["selectAggregation"] = (type) => this.#reader.selectAggregation(type);
  selectAggregationTemporality: IMetricReader["selectAggregationTemporality"] = (type) =>
    this.#reader.selectAggregationTemporality(type);
  selectCardinalityLimit: IMetricReader["selectCardinalityLimit"] = (type) => this.#reader.selectCardinalityLimit(type);
  collect: IMetricReader["collect"] = (options) => this.#reader.collect(options);
  shutdown: IMetricReader["shutdown"] = (options) => this.#reader.shutdown(options);
  forceFlush: IMetricReader["forceFlush"] = (options) => this.#reader.forceFlush(options);
}

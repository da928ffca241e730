import { createRequire } from "node:module";
import { createNoopMeter, type HrTime, type Meter, type MeterOptions, type MeterProvider } from "@opentelemetry/api";
import type { Resource } from "@opentelemetry/resources";
import type {
  CollectionResult,
  IMetricReader,
  MetricData,
  MeterProvider as SdkMeterProvider,
  MetricProducer,
  ScopeMetrics,
  ViewOptions,
} from "@opentelemetry/sdk-metrics";
import { limitOf } from "@telltale/core";
import { makeHarmless } from "./harmless-meter.js";

const require = createRequire(import.meta.url);

/** The SDK keeps both for ever; an app that makes up names for them gets some that measure nothing. */
const MAX_METERS = 1_000;
const MAX_INSTRUMENTS = 2_000;
const refusedMeters = limitOf("meters");
const refusedInstruments = limitOf("instruments");

/** The SDK's meter provider, made when the app asks for its first meter: Telltale's own metrics need none. */
export interface LateMeterProvider extends MeterProvider {
  /** What the app's own instruments counted, for one of the readers, without a turn of the event loop: for the end of the process. */
  readAtOnce(reader: IMetricReader): ScopeMetrics[];
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
  const meters = new Map<string, Meter>();
  const instruments = new Set<string>();

  /** False for one too many. */
  function admit(meter: number, instrument: unknown): boolean {
    const key = `${meter} ${String(instrument).toLowerCase()}`;
    if (instruments.size >= MAX_INSTRUMENTS && !instruments.has(key)) {
      refusedInstruments.total++;
      return false;
    }
    instruments.add(key);
    return true;
  }

  return {
    getMeter(name: string, version?: string, options?: MeterOptions): Meter {
      if (closed) return createNoopMeter();
      if (provider === undefined) {
        const sdk = require("@opentelemetry/sdk-metrics") as typeof import("@opentelemetry/sdk-metrics");
        provider = new sdk.MeterProvider({ resource, views, readers: late });
      }
      try {
        const scope = `${name}@${version ?? ""}:${options?.schemaUrl ?? ""}`;
        const known = meters.get(scope);
        if (known !== undefined) return known;
        if (meters.size >= MAX_METERS) {
          refusedMeters.total++;
          return createNoopMeter();
        }
        const place = meters.size;
        const meter = makeHarmless(provider.getMeter(name, version, options), (instrument) => admit(place, instrument));
        meters.set(scope, meter);
        return meter;
      } catch {
        // A name that is none throws when it is read.
        return createNoopMeter();
      }
    },
    readAtOnce: (reader) => late[readers.indexOf(reader)]?.readAtOnce() ?? [],
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

  readAtOnce(): ScopeMetrics[] {
    return this.#producer === undefined ? [] : readCollector(this.#producer);
  }

  selectAggregation: IMetricReader["selectAggregation"] = (type) => this.#reader.selectAggregation(type);
  selectAggregationTemporality: IMetricReader["selectAggregationTemporality"] = (type) =>
    this.#reader.selectAggregationTemporality(type);
  selectCardinalityLimit: IMetricReader["selectCardinalityLimit"] = (type) => this.#reader.selectCardinalityLimit(type);
  collect: IMetricReader["collect"] = (options) => this.#reader.collect(options);
  shutdown: IMetricReader["shutdown"] = (options) => this.#reader.shutdown(options);
  forceFlush: IMetricReader["forceFlush"] = (options) => this.#reader.forceFlush(options);
}

/** The parts of the SDK's collector that its `collect` reads, which waits for observable instruments in between. */
interface Collector extends MetricProducer {
  readonly _sharedState?: {
    readonly meterSharedStates?: ReadonlyMap<
      string,
      {
        readonly _instrumentationScope: ScopeMetrics["scope"];
        readonly metricStorageRegistry: {
          getStorages(
            collector: MetricProducer,
          ): { collect(collector: MetricProducer, time: HrTime): MetricData | undefined }[];
        };
      }
    >;
  };
}

/** What was counted; observable instruments are as they were observed last. Nothing where the SDK is not the one that we know. */
function readCollector(collector: Collector): ScopeMetrics[] {
  const nowMs = Date.now();
  const now: HrTime = [Math.floor(nowMs / 1000), (nowMs % 1000) * 1e6];
  const result: ScopeMetrics[] = [];
  for (const {
    _instrumentationScope: scope,
    metricStorageRegistry,
  } of collector._sharedState?.meterSharedStates?.values() ?? []) {
    const collected = metricStorageRegistry.getStorages(collector).map((storage) => storage.collect(collector, now));
    result.push({ scope, metrics: collected.filter((metric) => metric !== undefined) });
  }
  return result;
}

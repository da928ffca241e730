import type { HrTime } from "@opentelemetry/api";
import type { MetricData } from "@opentelemetry/sdk-metrics";
import { count, METRICS, type Pool, type PoolTiming, readPools } from "@telltale/core";
import { histogramData, known, numberData } from "./metric-data.js";
import {
  createHistogramSeries,
  createNumberSeries,
  type HistogramSeries,
  type NumberSeries,
  observe,
  OVERFLOW,
} from "./series.js";

const HISTOGRAMS = { wait: METRICS.poolWait, create: METRICS.poolCreate, use: METRICS.poolUse };

/** The series of one pool. They live as long as the pool does, so that an ended pool leaves nothing behind. */
interface PoolSeries {
  readonly used: NumberSeries;
  readonly idle: NumberSeries;
  readonly pending: NumberSeries;
  readonly limit: NumberSeries;
  readonly idleMin: NumberSeries;
  readonly timeouts: NumberSeries;
  readonly timings: Readonly<Record<PoolTiming, HistogramSeries>>;
  /** False where no pool told its limit, or its idle minimum. */
  hasLimit: boolean;
  hasIdleMin: boolean;
}

export function createPoolMetrics(maxSeries: number) {
  const byPool = new Map<Pool, PoolSeries>();
  let overflow: PoolSeries | undefined;

  function seriesOf(pool: Pool): PoolSeries {
    const found = byPool.get(pool);
    if (found !== undefined) return found;
    const series = byPool.size < maxPools ? createPoolSeries(pool) : overflowSeries();
    byPool.set(pool, series);
    return series;
  }

  // Two series a pool where the state is told, and one for all pools too many.
  const maxPools = Math.floor(maxSeries / 2) - 1;

  function overflowSeries(): PoolSeries {
    count("telltale.labels.overflow", "telltale.label", "db.client.connection.pool.name");
    return (overflow ??= createPoolSeries(undefined));
  }

  /** What every living pool says now. */
  function read(): Set<PoolSeries> {
    const living = new Map<Pool, PoolSeries>();
    if (overflow !== undefined) reset(overflow);
    for (const { pool, reading } of readPools()) {
      const series = seriesOf(pool);
      living.set(pool, series);
      if (series !== overflow) reset(series);
      series.used.value += reading.used;
      series.idle.value += reading.idle;
      series.pending.value += reading.pending;
      series.limit.value += reading.limit ?? 0;
      series.hasLimit ||= reading.limit !== undefined;
      series.idleMin.value += reading.idleMin ?? 0;
      series.hasIdleMin ||= reading.idleMin !== undefined;
    }
    for (const pool of byPool.keys()) if (!living.has(pool)) byPool.delete(pool);
    return new Set(living.values());
  }

  return {
    timed(pool: Pool, what: PoolTiming, ms: number): void {
      observe(seriesOf(pool).timings[what], ms / 1000);
    },
    timedOut(pool: Pool): void {
      seriesOf(pool).timeouts.value++;
    },
    collect(now: HrTime): MetricData[] {
      const all = [...read()];
      const timing = (what: PoolTiming) =>
        histogramData(
          HISTOGRAMS[what],
          all.map(({ timings }) => timings[what]),
          now,
        );
      return [
        ...numberData(
          METRICS.poolConnections,
          all.flatMap(({ used, idle }) => [used, idle]),
          now,
        ),
        ...numberData(
          METRICS.poolPending,
          all.map(({ pending }) => pending),
          now,
        ),
        ...numberData(
          METRICS.poolLimit,
          all.filter(({ hasLimit }) => hasLimit).map(({ limit }) => limit),
          now,
        ),
        ...numberData(
          METRICS.poolIdleMin,
          all.filter(({ hasIdleMin }) => hasIdleMin).map(({ idleMin }) => idleMin),
          now,
        ),
        ...numberData(
          METRICS.poolTimeouts,
          all.map(({ timeouts }) => timeouts),
          now,
        ),
        ...timing("wait"),
        ...timing("create"),
        ...timing("use"),
      ];
    },
  };
}

function reset({ used, idle, pending, limit, idleMin }: PoolSeries): void {
  for (const series of [used, idle, pending, limit, idleMin]) series.value = 0;
}

function createPoolSeries(pool: Pool | undefined): PoolSeries {
  const attributes = pool
    ? known({ "db.client.connection.pool.name": pool.name, "db.system.name": pool.system })
    : OVERFLOW;
  const inState = (state: string) => createNumberSeries({ ...attributes, "db.client.connection.state": state });
  const number = () => createNumberSeries(attributes);
  const timing = (what: PoolTiming) => createHistogramSeries(HISTOGRAMS[what], attributes);
  return {
    used: inState("used"),
    idle: inState("idle"),
    pending: number(),
    limit: number(),
    idleMin: number(),
    timeouts: number(),
    timings: { wait: timing("wait"), create: timing("create"), use: timing("use") },
    hasLimit: false,
    hasIdleMin: false,
  };
}

import { count, type MetricDefinition, METRICS, type Pool, type PoolTiming, readPools } from "@telltale/core";
import { HistogramSeries } from "./histogram-series.js";
import { NumberSeries } from "./number-series.js";
import type { Recorded } from "./recorded.js";
import { known, OVERFLOW } from "./series-set.js";

const HISTOGRAMS = { wait: METRICS.poolWait, create: METRICS.poolCreate, use: METRICS.poolUse };

const BOUNDS = {
  wait: [...(METRICS.poolWait.buckets ?? [])],
  create: [...(METRICS.poolCreate.buckets ?? [])],
  use: [...(METRICS.poolUse.buckets ?? [])],
};

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
  function readAll(): Set<PoolSeries> {
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
      seriesOf(pool).timings[what].record(ms / 1000);
    },
    timedOut(pool: Pool): void {
      seriesOf(pool).timeouts.value++;
    },
    read(): Recorded[] {
      const all = [...readAll()];
      const numbers = (definition: MetricDefinition, of: (pool: PoolSeries) => readonly NumberSeries[]): Recorded => ({
        definition,
        numbers: all.flatMap(of),
        isObserved: true,
      });
      const timing = (what: PoolTiming): Recorded => ({
        definition: HISTOGRAMS[what],
        histograms: all.map(({ timings }) => timings[what]),
      });
      return [
        numbers(METRICS.poolConnections, ({ used, idle }) => [used, idle]),
        numbers(METRICS.poolPending, ({ pending }) => [pending]),
        numbers(METRICS.poolLimit, ({ limit, hasLimit }) => (hasLimit ? [limit] : [])),
        numbers(METRICS.poolIdleMin, ({ idleMin, hasIdleMin }) => (hasIdleMin ? [idleMin] : [])),
        { definition: METRICS.poolTimeouts, numbers: all.map(({ timeouts }) => timeouts), isObserved: false },
        timing("wait"),
        timing("create"),
        timing("use"),
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
  const inState = (state: string) => new NumberSeries({ ...attributes, "db.client.connection.state": state });
  const number = () => new NumberSeries(attributes);
  const timing = (what: PoolTiming) => new HistogramSeries(attributes, BOUNDS[what]);
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

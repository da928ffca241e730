import type { Attributes } from "@opentelemetry/api";
import { allPools, count, type MetricDefinition, METRICS, type Pool, type PoolTiming, readPools } from "@telltale/core";
import { HistogramSeries } from "./histogram-series.js";
import { NumberSeries } from "./number-series.js";
import type { Recorded } from "./recorded.js";
import { known, OVERFLOW } from "./series-set.js";

const BOUNDS = {
  wait: [...(METRICS.poolWait.buckets ?? [])],
  create: [...(METRICS.poolCreate.buckets ?? [])],
  use: [...(METRICS.poolUse.buckets ?? [])],
};

/** What a pool lends: each kind has metrics and attributes of its own. */
const KINDS = {
  database: {
    name: "db.client.connection.pool.name",
    state: "db.client.connection.state",
    used: "used",
    connections: METRICS.poolConnections,
    pending: METRICS.poolPending,
    limit: METRICS.poolLimit,
    idleMin: METRICS.poolIdleMin,
    timeouts: METRICS.poolTimeouts,
    timings: { wait: METRICS.poolWait, create: METRICS.poolCreate, use: METRICS.poolUse },
  },
  http: {
    name: "server.address",
    state: "http.connection.state",
    used: "active",
    connections: METRICS.httpConnections,
    pending: METRICS.httpPending,
    limit: METRICS.httpLimit,
    timings: { wait: METRICS.httpWait },
  },
  other: {
    name: "telltale.pool.name",
    state: "telltale.pool.state",
    used: "used",
    connections: METRICS.resources,
    pending: METRICS.resourcePending,
    limit: METRICS.resourceLimit,
    idleMin: METRICS.resourceIdleMin,
    timeouts: METRICS.resourceTimeouts,
    timings: { wait: METRICS.resourceWait, create: METRICS.resourceCreate, use: METRICS.resourceUse },
  },
} as const satisfies Record<string, PoolKind>;
type Kind = keyof typeof KINDS;
const KIND_NAMES = Object.keys(KINDS) as Kind[];
const TIMINGS = ["wait", "create", "use"] as const satisfies readonly PoolTiming[];

interface PoolKind {
  /** The attribute that says which pool. */
  readonly name: string;
  /** The attribute that says what state connections are in, and its value for those that are lent. */
  readonly state: string;
  readonly used: string;
  readonly connections: MetricDefinition;
  readonly pending: MetricDefinition;
  readonly limit: MetricDefinition;
  readonly idleMin?: MetricDefinition;
  readonly timeouts?: MetricDefinition;
  readonly timings: Readonly<Partial<Record<PoolTiming, MetricDefinition>>>;
}

/** The series of one pool, or of all HTTP connections to one server. They live as long as these do: what has ended is forgotten. */
interface PoolSeries {
  readonly kind: Kind;
  readonly used: NumberSeries;
  readonly idle: NumberSeries;
  readonly pending: NumberSeries;
  readonly limit: NumberSeries;
  readonly idleMin: NumberSeries;
  readonly timeouts: NumberSeries;
  readonly timings: Readonly<Record<PoolTiming, HistogramSeries>>;
  /** False where a pool has no limit. */
  isLimited: boolean;
  /** False where no pool told its idle minimum. */
  hasIdleMin: boolean;
}

export function createPoolMetrics(maxSeries: number) {
  const all = new Map<Pool | string, PoolSeries>();
  const overflows = new Map<Kind, PoolSeries>();
  // Two series a pool where the state is told, and one for all pools too many.
  const maxPools = Math.floor(maxSeries / 2) - 1;
  let forgetAt = maxPools;

  function seriesOf(pool: Pool): PoolSeries {
    const key = keyOf(pool);
    const found = all.get(key);
    if (found !== undefined) return found;
    if (all.size >= forgetAt) forgetEnded();
    const series = all.size < maxPools ? createPoolSeries(pool, attributesOf(pool)) : overflowSeries(pool);
    all.set(key, series);
    return series;
  }

  function overflowSeries(pool: Pool): PoolSeries {
    const kind = kindOf(pool);
    count("telltale.labels.overflow", "telltale.label", KINDS[kind].name);
    const series = overflows.get(kind) ?? createPoolSeries(pool, OVERFLOW);
    overflows.set(kind, series);
    return series;
  }

  /** At each collection; where nobody collects, before pools are refused, and then whenever they have doubled. */
  function forgetEnded(): void {
    const living = new Set<Pool | string>();
    for (const pool of allPools()) living.add(keyOf(pool));
    for (const key of all.keys()) if (!living.has(key)) all.delete(key);
    forgetAt = Math.max(maxPools, 2 * all.size);
  }

  /** What every living pool says now. */
  function readAll(): PoolSeries[] {
    const living = new Set<PoolSeries>();
    for (const { pool, reading } of readPools()) {
      const series = seriesOf(pool);
      if (!living.has(series)) reset(series);
      living.add(series);
      series.used.value += reading.used;
      series.idle.value += reading.idle;
      series.pending.value += reading.pending;
      series.limit.value += reading.limit ?? 0;
      series.isLimited &&= reading.limit !== undefined;
      series.idleMin.value += reading.idleMin ?? 0;
      series.hasIdleMin ||= reading.idleMin !== undefined;
    }
    forgetEnded();
    return [...living];
  }

  return {
    timed(pool: Pool, what: PoolTiming, ms: number): void {
      const { timings } = seriesOf(pool);
      // V8 looks a property up quickly only where its name stands in the code.
      const series = what === "use" ? timings.use : what === "wait" ? timings.wait : timings.create;
      series.record(ms / 1000);
    },
    timedOut(pool: Pool): void {
      seriesOf(pool).timeouts.value++;
    },
    read(): Recorded[] {
      const living = readAll();
      return KIND_NAMES.flatMap((name) =>
        recorded(
          KINDS[name],
          living.filter(({ kind }) => kind === name),
        ),
      );
    },
  };
}

function recorded(kind: PoolKind, pools: readonly PoolSeries[]): Recorded[] {
  const observed = (definition: MetricDefinition | undefined, numbers: NumberSeries[]): Recorded[] =>
    definition === undefined ? [] : [{ definition, numbers, isObserved: true }];
  return [
    ...observed(
      kind.connections,
      pools.flatMap(({ used, idle }) => [used, idle]),
    ),
    ...observed(
      kind.pending,
      pools.map(({ pending }) => pending),
    ),
    ...observed(
      kind.limit,
      pools.filter(({ isLimited }) => isLimited).map(({ limit }) => limit),
    ),
    ...observed(
      kind.idleMin,
      pools.filter(({ hasIdleMin }) => hasIdleMin).map(({ idleMin }) => idleMin),
    ),
    ...(kind.timeouts === undefined
      ? []
      : [{ definition: kind.timeouts, numbers: pools.map(({ timeouts }) => timeouts), isObserved: false }]),
    ...TIMINGS.flatMap((what) => {
      const definition = kind.timings[what];
      return definition === undefined ? [] : [{ definition, histograms: pools.map(({ timings }) => timings[what]) }];
    }),
  ];
}

function reset(series: PoolSeries): void {
  const { used, idle, pending, limit, idleMin } = series;
  for (const number of [used, idle, pending, limit, idleMin]) number.value = 0;
  series.isLimited = true;
}

/** HTTP clients have no names: all that lead to one server are added up. */
function keyOf(pool: Pool): Pool | string {
  return pool.http === undefined ? pool : `${pool.http.address} ${pool.http.port}`;
}

function kindOf({ http, system }: Pool): Kind {
  if (http !== undefined) return "http";
  return system === undefined ? "other" : "database";
}

function attributesOf(pool: Pool): Attributes {
  const { name, system, http } = pool;
  return known({
    [KINDS[kindOf(pool)].name]: http?.address ?? name,
    "server.port": http?.port,
    "db.system.name": system,
  });
}

function createPoolSeries(pool: Pool, attributes: Attributes): PoolSeries {
  const kind = kindOf(pool);
  const { state, used } = KINDS[kind];
  const inState = (value: string) => new NumberSeries({ ...attributes, [state]: value });
  const number = () => new NumberSeries(attributes);
  const timing = (what: PoolTiming) => new HistogramSeries(attributes, BOUNDS[what]);
  return {
    kind,
    used: inState(used),
    idle: inState("idle"),
    pending: number(),
    limit: number(),
    idleMin: number(),
    timeouts: number(),
    timings: { wait: timing("wait"), create: timing("create"), use: timing("use") },
    isLimited: true,
    hasIdleMin: false,
  };
}

import type { Buckets } from "../store/buckets.js";
import type { Store } from "../store/open-store.js";
import type { AttributeMap } from "./answers.js";
import { parseObject } from "./attributes.js";
import { readColumns } from "./read-columns.js";
import { readRow, readRows } from "./read-rows.js";
import { boundsOf, type TimeWindow } from "./time-window.js";

/** One line of numbers that a process tells. */
export interface Series {
  readonly id: number;
  readonly resourceId: number;
  readonly service: string;
  readonly instance: string;
  readonly name: string;
  readonly unit: string;
  readonly kind: string;
  readonly isMonotonic: boolean;
  readonly isDelta: boolean;
  readonly attributes: AttributeMap;
}

export interface Point {
  readonly us: number;
  readonly startUs: number;
  /** Of a histogram, the sum. */
  readonly value: number;
  readonly count: number | null;
  readonly min: number | null;
  readonly max: number | null;
  readonly buckets: Buckets | null;
}

/** Of more, nobody could tell them apart. */
const MAX_SERIES = 2_000;

const OF_NAME = `
SELECT series.id, resource_id, service, instance, name, unit, kind, is_monotonic, is_delta, series.attributes
FROM series JOIN resource ON resource.id = resource_id
WHERE name IN (SELECT value FROM json_each(:names)) AND (:service IS NULL OR service = :service)
ORDER BY series.id DESC LIMIT ${MAX_SERIES}`;

interface SeriesRow {
  readonly id: number;
  readonly resource_id: number;
  readonly service: string;
  readonly instance: string;
  readonly name: string;
  readonly unit: string;
  readonly kind: string;
  readonly is_monotonic: number;
  readonly is_delta: number;
  readonly attributes: string;
}

/** Those of metrics with these names: the newest 2,000. */
export function readSeries(store: Store, names: readonly string[], service: string | undefined): Series[] {
  const parameters = { names: JSON.stringify(names), service: service ?? null };
  return readRows<SeriesRow>(store, OF_NAME, parameters).map((row) => ({
    id: row.id,
    resourceId: row.resource_id,
    service: row.service,
    instance: row.instance,
    name: row.name,
    unit: row.unit,
    kind: row.kind,
    isMonotonic: row.is_monotonic === 1,
    isDelta: row.is_delta === 1,
    attributes: parseObject(row.attributes),
  }));
}

const BEFORE = "SELECT max(time_us) AS us FROM point WHERE series_id = :id AND time_us < :from";
const POINTS = `
SELECT json_group_array(time_us) AS us, json_group_array(start_us) AS startUs, json_group_array(value) AS value,
  json_group_array(count) AS count, json_group_array(min) AS min, json_group_array(max) AS max, '[' || ifnull(group_concat(ifnull(buckets, 'null')), '') || ']' AS buckets
FROM (SELECT * FROM point WHERE series_id = :id AND time_us BETWEEN :from AND :to ORDER BY time_us, id)`;

/** In the order of time: those of the window, and the one before, which tells what the first counts from. */
export function readPoints(store: Store, { id }: Series, window: TimeWindow): Point[] {
  const { from, to } = boundsOf(window);
  const before = readRow<{ us: number | null }>(store, BEFORE, { id, from })?.us ?? from;
  const columns = readColumns<Point & Record<string, unknown>>(store, POINTS, { id, from: before, to });
  return columns.us.map((us, index) => ({
    us,
    startUs: columns.startUs[index] ?? 0,
    value: columns.value[index] ?? 0,
    count: columns.count[index] ?? null,
    min: columns.min[index] ?? null,
    max: columns.max[index] ?? null,
    buckets: columns.buckets[index] ?? null,
  }));
}

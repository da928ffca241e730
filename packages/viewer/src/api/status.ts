import type { Store } from "../store/open-store.js";
import type { Source } from "./answers.js";
import { parseObject, textOf } from "./attributes.js";
import { readRows } from "./read-rows.js";

interface SourceRow {
  readonly service: string;
  readonly instance: string;
  readonly attributes: string;
  readonly last_us: number | null;
}

const MAX_SOURCES = 200;

/**
 * When each was heard last, as the newest rows tell: what was heard before all of them is long gone. In fractions: of clocks at the end of
 * time, the sum is no whole number of JavaScript's.
 */
const SOURCES = `
WITH heard AS (
  SELECT resource_id, start_us + duration_ns / 1000.0 AS us FROM (SELECT * FROM span ORDER BY id DESC LIMIT 5000)
  UNION ALL SELECT resource_id, time_us FROM (SELECT * FROM log ORDER BY id DESC LIMIT 5000)
  UNION ALL SELECT resource_id, time_us FROM (SELECT * FROM point ORDER BY id DESC LIMIT 5000) AS newest JOIN series ON series.id = series_id
), last AS (SELECT resource_id, max(us) AS last_us FROM heard GROUP BY resource_id)
SELECT service, instance, attributes, last_us FROM resource LEFT JOIN last ON resource_id = resource.id
ORDER BY last_us DESC, resource.id DESC LIMIT ${MAX_SOURCES}`;

/** The processes that have sent something, the last first: 200 at most. `lastMs` is 0 for one that has been silent for long. */
export function readSources(store: Store): Source[] {
  return readRows<SourceRow>(store, SOURCES).map(({ service, instance, attributes, last_us }) => ({
    service,
    instance,
    language: textOf(parseObject(attributes), "telemetry.sdk.language"),
    lastMs: (last_us ?? 0) / 1000,
  }));
}

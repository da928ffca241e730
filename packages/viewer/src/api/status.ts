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

/** The last that is kept of each: what came last is at the end, so that not all has to be read. */
const SOURCES = `
SELECT service, instance, attributes, max(
  ifnull((SELECT max(start_us) FROM (SELECT start_us, resource_id FROM span ORDER BY id DESC LIMIT 5000) AS s WHERE s.resource_id = resource.id), 0),
  ifnull((SELECT max(time_us) FROM point WHERE series_id IN (SELECT id FROM series WHERE resource_id = resource.id ORDER BY id LIMIT 5)), 0)
) AS last_us
FROM resource ORDER BY resource.id DESC LIMIT ${MAX_SOURCES}`;

/** The processes that have sent something: the newest 200. */
export function readSources(store: Store): Source[] {
  return readRows<SourceRow>(store, SOURCES).map(({ service, instance, attributes, last_us }) => ({
    service,
    instance,
    language: textOf(parseObject(attributes), "telemetry.sdk.language"),
    lastMs: (last_us ?? 0) / 1000,
  }));
}

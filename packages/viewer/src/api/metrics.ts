import type { Store } from "../store/open-store.js";
import type { Instrument, Instruments } from "./answers.js";
import { readText } from "./parameters.js";
import { readRows } from "./read-rows.js";

interface InstrumentRow {
  readonly name: string;
  readonly kind: Instrument["kind"];
  readonly description: string;
  readonly unit: string;
  readonly is_monotonic: number;
  readonly series: number;
  /** As JSON, each as often as it has series. */
  readonly services: string;
  readonly has_exemplars: number;
}

const ALL = `
SELECT name, kind, max(description) AS description, max(unit) AS unit, max(is_monotonic) AS is_monotonic, count(*) AS series,
  json_group_array(DISTINCT service) AS services,
  max(EXISTS (SELECT 1 FROM point INDEXED BY point_exemplars WHERE series_id = series.id AND exemplars IS NOT NULL)) AS has_exemplars
FROM series JOIN resource ON resource.id = resource_id
WHERE (:service IS NULL OR service = :service) AND (:name IS NULL OR name = :name)
GROUP BY name, kind ORDER BY name, series DESC LIMIT 2000`;

/** `GET /api/metrics`: the first 2,000 by name. */
export function answerMetrics(store: Store, url: URL): Instruments {
  const text = readText(url, "text")?.toLowerCase();
  const instruments = readInstruments(store, readText(url, "service"), undefined);
  if (text === undefined) return { instruments };
  const has = ({ name, description }: Instrument) => `${name}\n${description}`.toLowerCase().includes(text);
  return { instruments: instruments.filter(has) };
}

/** Of one name there may be several: a histogram in one service and a sum in the other. Those with most series first. */
export function readInstruments(store: Store, service: string | undefined, name: string | undefined): Instrument[] {
  const parameters = { service: service ?? null, name: name ?? null };
  return readRows<InstrumentRow>(store, ALL, parameters).map((row) => ({
    name: row.name,
    description: row.description,
    unit: row.unit,
    kind: row.kind,
    isMonotonic: row.is_monotonic === 1,
    services: (JSON.parse(row.services) as string[]).sort(),
    series: row.series,
    hasExemplars: row.has_exemplars === 1,
  }));
}

import type { LogMessage, LogsRequest } from "@telltale/otlp";
import { MAX_NAME } from "./limits.js";
import type { Store } from "./open-store.js";
import { countAt, findAttributes, textAt } from "./read-attributes.js";
import type { Tally } from "./tally.js";

export const FINDING_EVENT = "telltale.finding";

/** What of its log record is written already. */
export interface FindingRow {
  readonly resourceId: number;
  readonly timeUs: number;
  readonly traceId: string;
  readonly body: string;
  readonly attributes: string;
}

const WANTED = new Set([
  "telltale.finding.id",
  "telltale.finding.kind",
  "telltale.finding.count",
  "telltale.finding.first_seen",
]);

/** Keeps the last that each process told of each finding; one without id or kind is a log record like any other. */
export function createFindingWriter(
  { db }: Store,
  tally: Tally,
  max: number,
): (record: LogMessage, row: FindingRow) => void {
  const upsert = db.prepare(`
    INSERT INTO finding (resource_id, finding_id, kind, first_us, last_us, count, trace_id, title, attributes)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (resource_id, finding_id) DO UPDATE SET
      kind = excluded.kind, first_us = min(first_us, excluded.first_us), last_us = excluded.last_us, count = excluded.count,
      trace_id = CASE excluded.trace_id WHEN '' THEN trace_id ELSE excluded.trace_id END,
      title = excluded.title, attributes = excluded.attributes
    WHERE excluded.last_us >= last_us`);
  const size = db.prepare("SELECT count(*) AS n FROM finding");
  const forget = db.prepare("DELETE FROM finding WHERE rowid IN (SELECT rowid FROM finding ORDER BY last_us LIMIT ?)");

  return (record, { resourceId, timeUs, traceId, body, attributes }) => {
    const found = findAttributes(record.attributes, WANTED);
    const id = textAt(found, "telltale.finding.id")?.slice(0, MAX_NAME);
    const kind = textAt(found, "telltale.finding.kind")?.slice(0, MAX_NAME);
    if (id === undefined || kind === undefined) return;
    const firstUs = Date.parse(textAt(found, "telltale.finding.first_seen")?.slice(0, 40) ?? "") * 1_000;
    const count = countAt(found, "telltale.finding.count") ?? 1;
    const isKnown = Number.isSafeInteger(firstUs) && firstUs >= 0 && firstUs <= timeUs;
    upsert.run(resourceId, id, kind, isKnown ? firstUs : timeUs, timeUs, count, traceId, body, attributes);
    const over = Number(size.get()?.["n"] ?? 0) - max;
    // A hundredth more, so that not every new one has to look for the oldest.
    if (over > 0) tally.findingsForgotten += Number(forget.run(over + Math.floor(max / 100)).changes);
  };
}

/** Whether any event among them tells a finding. */
export function hasFindings({ resourceLogs = [] }: LogsRequest): boolean {
  return resourceLogs.some(({ scopeLogs = [] }) =>
    scopeLogs.some(({ logRecords = [] }) => logRecords.some(({ eventName }) => eventName === FINDING_EVENT)),
  );
}

import type { LogMessage, LogsRequest } from "@telltale/otlp";
import type { Entry, Refusal } from "./entries.js";
import { MAX_NAME, MAX_ROW } from "./limits.js";
import type { Store } from "./open-store.js";
import { findAttributes, textAt } from "./read-attributes.js";
import type { Resources } from "./resources.js";
import type { Tally } from "./tally.js";
import { microsOf, nowMicros } from "./times.js";
import { createFindingWriter, FINDING_EVENT } from "./write-findings.js";
import { isId, oneOf } from "./write-spans.js";
import { attributesJson, type Budget, cutText, textOf } from "./write-values.js";

export function* eachLog(request: LogsRequest): Generator<Entry<LogMessage>> {
  for (const { resource, scopeLogs = [] } of request.resourceLogs ?? [])
    for (const { scope, logRecords = [] } of scopeLogs) for (const item of logRecords) yield { resource, scope, item };
}

const COLUMNS =
  "id, time_us, trace_id, span_id, resource_id, scope, severity, severity_text, event_name, body, attributes";
/** Where events had their name before logs had a field for it. */
const EVENT_NAME = new Set(["event.name"]);

/** Keeps log records, and the findings that events among them tell. */
export function createLogWriter(
  store: Store,
  resources: Resources,
  tally: Tally,
  maxFindings: number,
): (entry: Entry<LogMessage>) => Refusal {
  const insert = store.db.prepare(`INSERT INTO log (${COLUMNS}) VALUES (${COLUMNS.replaceAll(/\w+/g, "?")})`);
  const writeFinding = createFindingWriter(store, tally, maxFindings);

  return ({ resource, scope, item: record }) => {
    const resourceId = resources.idOf(resource, "log");
    if (resourceId === undefined) return "too many resources: no room for another";
    const budget: Budget = { chars: MAX_ROW, cuts: 0 };
    const { traceId = "", spanId = "", timeUnixNano: time = 0n, observedTimeUnixNano: observed = 0n } = record;
    const at = time === 0n ? observed : time;
    const timeUs = at === 0n ? nowMicros() : microsOf(at);
    const inTrace = isId(traceId, 32) ? traceId : "";
    const eventName = record.eventName ?? textAt(findAttributes(record.attributes, EVENT_NAME), "event.name") ?? "";
    const body = textOf(record.body, budget);
    const attributes = attributesJson(record.attributes, budget);
    insert.run(
      ++tally.log.last,
      timeUs,
      inTrace,
      inTrace !== "" && isId(spanId, 16) ? spanId : "",
      resourceId,
      cutText(scope?.name ?? "", MAX_NAME, budget),
      oneOf(record.severityNumber, 24),
      cutText(record.severityText ?? "", MAX_NAME, budget),
      cutText(eventName, MAX_NAME, budget),
      body,
      attributes,
    );
    if (eventName === FINDING_EVENT) writeFinding(record, { resourceId, timeUs, traceId: inTrace, body, attributes });
    tally.cuts += budget.cuts;
    return undefined;
  };
}

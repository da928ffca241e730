import { eachRow } from "../api/read-rows.js";
import type { Store } from "../store/open-store.js";
import { nanos } from "./otlp-json.js";

/** `jaeger.api_v3.TraceSummary` */
export interface TraceSummary {
  readonly traceId: string;
  readonly rootServiceName: string;
  readonly rootOperationName: string;
  readonly minStartTimeUnixNano: string;
  readonly maxEndTimeUnixNano: string;
  readonly spanCount: number;
  readonly errorSpanCount: number;
  readonly orphanSpanCount: number;
  readonly services: readonly ServiceSummary[];
}

interface ServiceSummary {
  readonly name: string;
  spanCount: number;
  errorSpanCount: number;
}

interface Row {
  readonly span_id: string;
  readonly parent_id: string;
  readonly name: string;
  readonly start_us: number;
  readonly duration_ns: number;
  readonly status: number;
  readonly service: string;
}

const ROWS = `
  SELECT s.span_id, s.parent_id, s.name, s.start_us, s.duration_ns, s.status, r.service
  FROM span s JOIN resource r ON r.id = s.resource_id WHERE s.trace_id = :traceId`;

export function summarizeTrace(store: Store, traceId: string): TraceSummary {
  const services = new Map<string, ServiceSummary>();
  const ids = new Set<string>();
  const parents: string[] = [];
  let root: Row | undefined;
  let from = Infinity;
  let to = 0n;
  let errors = 0;
  for (const row of eachRow<Row>(store, ROWS, { traceId })) {
    ids.add(row.span_id);
    parents.push(row.parent_id);
    if (row.parent_id === "" && (root === undefined || row.start_us < root.start_us)) root = row;
    from = Math.min(from, row.start_us);
    const end = nanos(row.start_us) + BigInt(row.duration_ns);
    if (end > to) to = end;
    let service = services.get(row.service);
    if (service === undefined) {
      services.set(row.service, (service = { name: row.service, spanCount: 0, errorSpanCount: 0 }));
    }
    service.spanCount += 1;
    if (row.status !== 2) continue;
    service.errorSpanCount += 1;
    errors += 1;
  }
  return {
    traceId,
    rootServiceName: root?.service ?? "",
    rootOperationName: root?.name ?? "",
    minStartTimeUnixNano: String(Number.isFinite(from) ? nanos(from) : 0n),
    maxEndTimeUnixNano: String(to),
    spanCount: parents.length,
    errorSpanCount: errors,
    orphanSpanCount: parents.filter((parent) => parent !== "" && !ids.has(parent)).length,
    services: [...services.values()].sort((a, b) => (a.name < b.name ? -1 : 1)),
  };
}

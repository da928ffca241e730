import { eachRow, readRows } from "../api/read-rows.js";
import type { Store } from "../store/open-store.js";

export interface Dependency {
  readonly parent: string;
  readonly child: string;
  readonly callCount: number;
}

/** Newest first: where there are more, the oldest are not counted. */
const MAX_CALLS = 10_000;
const MAX_SPANS = 200_000;

const CALLS = `
  SELECT s.trace_id, s.parent_id, r.service FROM span s JOIN resource r ON r.id = s.resource_id
  WHERE s.is_entry = 1 AND s.start_us BETWEEN :fromUs AND :toUs AND s.parent_id <> ''
  ORDER BY s.start_us DESC LIMIT ${MAX_CALLS}`;
const SENDERS = `
  SELECT s.span_id, r.service FROM span s JOIN resource r ON r.id = s.resource_id WHERE s.trace_id = :traceId LIMIT ${MAX_SPANS}`;

/** How often a service called another. Work inside of one service is no call. */
export function readDependencies(store: Store, fromUs: number, toUs: number): Dependency[] {
  const byTrace = new Map<string, { parentId: string; service: string }[]>();
  for (const row of readRows<{ trace_id: string; parent_id: string; service: string }>(store, CALLS, {
    fromUs,
    toUs,
  })) {
    const call = { parentId: row.parent_id, service: row.service };
    const calls = byTrace.get(row.trace_id);
    if (calls === undefined) byTrace.set(row.trace_id, [call]);
    else calls.push(call);
  }
  const counts = new Map<string, Map<string, number>>();
  let spans = 0;
  for (const [traceId, calls] of byTrace) {
    const services = new Map<string, string>();
    for (const row of eachRow<{ span_id: string; service: string }>(store, SENDERS, { traceId })) {
      services.set(row.span_id, row.service);
    }
    for (const { parentId, service } of calls) {
      const parent = services.get(parentId);
      if (parent === undefined || parent === service) continue;
      const children = counts.get(parent) ?? new Map<string, number>();
      counts.set(parent, children.set(service, (children.get(service) ?? 0) + 1));
    }
    spans += services.size;
    if (spans >= MAX_SPANS) break;
  }
  return [...counts].flatMap(([parent, children]) =>
    [...children].map(([child, callCount]) => ({ parent, child, callCount })),
  );
}

import type { Store } from "../store/open-store.js";
import type { TraceSpan } from "./answers.js";
import { numberOf, parseObject } from "./attributes.js";
import { selfTimes } from "./critical-path.js";
import { readRows } from "./read-rows.js";
import { eventsOf, linksOf } from "./trace-events.js";
import { at } from "./at.js";
import type { TraceTree } from "./trace-tree.js";

/** What a tree is made of. */
export interface SpanRow extends Record<string, unknown> {
  readonly id: number;
  readonly span_id: string;
  readonly parent_id: string;
  readonly us: number;
  readonly ns: number;
  readonly kind: number;
  readonly resource: number;
  /** What there is to say of it, one bit each. */
  readonly marks: number;
}

/** A trace of which some spans are described. */
interface Picture {
  readonly columns: { readonly [Name in keyof SpanRow]: readonly SpanRow[Name][] };
  readonly tree: TraceTree;
  readonly critical: ReadonlySet<number>;
  readonly chosen: readonly number[];
  readonly services: ReadonlyMap<number, string>;
  /** Where the trace begins: behind the earliest span as it was told, and since the epoch. */
  readonly startNs: number;
  readonly startMs: number;
}

interface DetailRow {
  readonly id: number;
  readonly scope: string;
  readonly name: string;
  readonly status: number;
  readonly status_message: string;
  readonly fingerprint: string | null;
  readonly finding: string | null;
  readonly attributes: string;
  readonly events: string;
  readonly links: string;
}

const DETAILS = `
SELECT id, scope, name, status, status_message, fingerprint, finding, attributes, events, links FROM span
WHERE id IN (SELECT value FROM json_each(:ids))`;

const KINDS = ["unspecified", "internal", "server", "client", "producer", "consumer"] as const;
const STATUSES = ["unset", "ok", "error"] as const;

export function describeSpans(store: Store, picture: Picture): TraceSpan[] {
  const { columns, tree, critical, chosen, services, startNs, startMs } = picture;
  const ids = JSON.stringify(chosen.map((span) => columns.id[span]));
  const byId = new Map(readRows<DetailRow>(store, DETAILS, { ids }).map((row) => [row.id, row]));
  const details = chosen.map((span) => byId.get(at(columns.id, span)));
  const places = new Map(chosen.map((span, place) => [span, place]));
  const selves = selfTimes(tree, columns.ns);
  const groups = groupBrothers(picture, details);
  return chosen.map((span, place): TraceSpan => {
    const detail = details[place];
    const attributes = parseObject(detail?.attributes);
    const durationMs = at(columns.ns, span) / 1e6;
    const part = (...names: string[]): number => Math.min(durationMs, Math.max(0, numberOf(attributes, ...names) ?? 0));
    return {
      spanId: columns.span_id[span] ?? "",
      parent: places.get(at(tree.parents, span)) ?? -1,
      depth: at(tree.depths, span),
      isOrphan: tree.orphans.has(span),
      service: services.get(at(columns.resource, span)) ?? "",
      scope: detail?.scope ?? "",
      name: detail?.name ?? "",
      kind: KINDS[at(columns.kind, span)] ?? "unspecified",
      startMs: (at(tree.starts, span) - startNs) / 1e6,
      skewMs: at(tree.skews, span) / 1e6,
      durationMs,
      selfMs: at(selves, span) / 1e6,
      isCritical: critical.has(span),
      status: STATUSES[detail?.status ?? 0] ?? "unset",
      statusMessage: detail?.status_message ?? "",
      poolWaitMs: part("telltale.pool.wait_ms"),
      loopDelayMs: part("telltale.why.loop_delay_ms", "telltale.finding.blocked_ms"),
      group: groups[place] ?? null,
      finding: detail?.finding ?? null,
      attributes,
      events: eventsOf(detail?.events ?? "[]", startMs - at(tree.skews, span) / 1e6),
      links: linksOf(detail?.links ?? "[]"),
    };
  });
}

/** Of brothers that are alike, the id of the first. */
function groupBrothers(
  { columns, tree, chosen }: Picture,
  details: readonly (DetailRow | undefined)[],
): readonly (string | undefined)[] {
  const firsts = new Map<string, number>();
  const groups: string[] = [];
  for (const [place, span] of chosen.entries()) {
    const { name, fingerprint } = details[place] ?? {};
    const about = `${at(tree.parents, span)} ${columns.kind[span]} ${columns.resource[span]} ${fingerprint ?? ""}`;
    const key = `${about}\n${name}`;
    const first = firsts.get(key);
    if (first === undefined) firsts.set(key, place);
    else groups[place] = groups[first] = columns.span_id[at(chosen, first)] ?? "";
  }
  return groups;
}

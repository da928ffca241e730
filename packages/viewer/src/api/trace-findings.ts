import type { Store } from "../store/open-store.js";
import { FINDING_EVENT } from "../store/write-findings.js";
import type { AttributeMap, FindingItem, TraceSpan } from "./answers.js";
import { textOf } from "./attributes.js";
import { describeFinding, type KnownFinding, knownFindings } from "./findings.js";

/**
 * What was found in a trace: findings that name it, and what its spans tell. A finding that is told of stands for all of its kind, and
 * names only the last trace; so what a span tells takes its place here, under its id.
 */
export function findingsOfTrace(
  store: Store,
  traceId: string,
  spans: readonly TraceSpan[],
  route: string | null,
  startMs: number,
): FindingItem[] {
  const all = knownFindings(store);
  const found = new Map<string, FindingItem>();
  for (const { item, traceIds } of all) if (traceIds.includes(traceId)) found.set(`${item.service}\n${item.id}`, item);
  for (const span of spans) {
    for (const [index, { name, attributes }] of span.events.entries()) {
      const kind = textOf(attributes, "telltale.finding.kind");
      if (name !== FINDING_EVENT || kind === null) continue;
      const told = itemOf(span, kind, attributes, `${span.spanId}-${index}`, traceId, startMs);
      const known = knownOf(all, told, route ?? told.endpoint, traceId);
      const item = known === undefined ? told : { ...told, ...stableOf(known) };
      const key = `${item.service}\n${item.id}`;
      if (!found.has(key)) found.set(key, item);
    }
  }
  return [...found.values()];
}

/** What is the same wherever it is found. */
function stableOf({ id, endpoint, summary, queryText, fingerprint, site, plan, isMuted, isAccepted }: FindingItem) {
  return { id, endpoint, summary, queryText, fingerprint, site, plan, isMuted, isAccepted };
}

/** The finding that stands for it: of this query in this route, else of this query or this route. */
function knownOf(
  all: readonly KnownFinding[],
  told: FindingItem,
  route: string | null,
  traceId: string,
): FindingItem | undefined {
  const alike = all.filter(({ item }) => item.service === told.service && item.kind === told.kind);
  const isOfQuery = (item: FindingItem) => item.fingerprint !== null && item.fingerprint === told.fingerprint;
  const best =
    alike.find(({ traceIds }) => traceIds.includes(traceId)) ??
    alike.find(({ item }) => isOfQuery(item) && item.endpoint === route) ??
    alike.find(({ item }) => item.endpoint === route && (told.fingerprint === null || item.fingerprint === null));
  return best?.item;
}

function itemOf(
  span: TraceSpan,
  kind: string,
  attributes: AttributeMap,
  id: string,
  traceId: string,
  startMs: number,
): FindingItem {
  const atMs = startMs + span.startMs;
  return {
    id,
    service: span.service,
    kind,
    title: textOf(attributes, "telltale.finding.title") ?? kind,
    // The event has not what its span says.
    ...describeFinding({ ...queryOf(span.attributes), ...attributes }),
    count: 1,
    lostMs: null,
    firstMs: atMs,
    lastMs: atMs,
    traceId,
    isMuted: false,
  };
}

function queryOf(attributes: AttributeMap): AttributeMap {
  const names = [
    "db.system.name",
    "db.namespace",
    "db.query.summary",
    "db.query.text",
    "code.file.path",
    "code.line.number",
  ];
  return Object.fromEntries(
    names.flatMap((name) => (attributes[name] === undefined ? [] : [[name, attributes[name]]])),
  );
}

import type { AttributeMap } from "../api/answers.js";
import { parseList, parseObject } from "../api/attributes.js";
import { eachRow } from "../api/read-rows.js";
import type { Store } from "../store/open-store.js";
import { KINDS, kindOf, showText, STATUS_NAMES } from "./span-values.js";
import type { TraceQuery } from "./trace-query.js";

interface Candidate {
  readonly trace_id: string;
  readonly scope: string;
  readonly kind: number;
  readonly status: number;
  readonly attributes: string;
  readonly events: string;
  readonly links: string;
  readonly resource: string;
}

/** Whether the JSON has the key, and with it the value: as a text, or as a number or the like. */
function mayHave(column: string): string {
  return `(instr(${column}, :key) > 0 AND (instr(${column}, :asText) > 0 OR instr(${column}, :asOther) > 0))`;
}

/** Newest first. What is cheap to tell is told by the database; tags are, once it has made sure that the first of them occurs. */
const CANDIDATES = `
  SELECT s.trace_id, s.scope, s.kind, s.status, s.attributes, s.events, s.links, r.attributes AS resource
  FROM span s JOIN resource r ON r.id = s.resource_id
  WHERE (:service IS NULL OR s.resource_id IN (SELECT id FROM resource WHERE service = :service))
    AND (:operation IS NULL OR s.name = :operation)
    AND s.start_us BETWEEN :fromUs AND :toUs
    AND (:minNs IS NULL OR s.duration_ns >= :minNs)
    AND (:maxNs IS NULL OR s.duration_ns <= :maxNs)
    AND (:status IS NULL OR s.status = :status)
    AND (:kind IS NULL OR s.kind = :kind)
    AND (
      :key IS NULL OR ${mayHave("s.attributes")} OR s.resource_id IN (SELECT id FROM resource r WHERE ${mayHave("r.attributes")})
      OR ${mayHave("s.events")} OR ${mayHave("s.links")}
    )
  ORDER BY s.id DESC`;

/** Traces with a span that is all that is asked for, newest first. */
export function findTraces(store: Store, query: TraceQuery): string[] {
  const { tags } = query;
  const [name, value] = [...tags].find(([one]) => !Object.hasOwn(FIELDS, one)) ?? [];
  const key = name === undefined ? null : `${JSON.stringify(withoutLevel(name))}:`;
  const found = new Set<string>();
  const rows = eachRow<Candidate>(store, CANDIDATES, {
    service: query.service ?? null,
    operation: query.operation ?? null,
    fromUs: query.fromUs,
    toUs: query.toUs,
    minNs: query.minNs ?? null,
    maxNs: query.maxNs ?? null,
    status: readTruth(tags.get("error")) === true ? 2 : null,
    kind: tags.has("span.kind") ? KINDS.indexOf((tags.get("span.kind") ?? "").toLowerCase()) : null,
    key,
    asText: `${key}${JSON.stringify(value)}`,
    asOther: `${key}${value}`,
  });
  for (const row of rows) {
    if (found.has(row.trace_id) || !isAll(row, tags)) continue;
    found.add(row.trace_id);
    if (found.size >= query.limit) break;
  }
  return [...found];
}

// Tags that are fields of a span and no attributes, by Jaeger's names (validSpan of its memory storage; otel.… as its JSON has them).
const FIELDS: Readonly<Record<string, (row: Candidate, value: string) => boolean>> = {
  error: ({ status }, value) => readTruth(value) === (status === 2),
  "span.kind": ({ kind }, value) => kindOf(kind) === value.toLowerCase(),
  "span.status": ({ status }, value) => (STATUS_NAMES[status] ?? "") === value.toUpperCase(),
  "otel.status_code": ({ status }, value) => (STATUS_NAMES[status] ?? "") === value.toUpperCase(),
  "scope.name": ({ scope }, value) => scope === value,
  "otel.scope.name": ({ scope }, value) => scope === value,
};

function isAll(row: Candidate, tags: ReadonlyMap<string, string>): boolean {
  for (const [key, value] of tags) {
    const field = Object.hasOwn(FIELDS, key) ? FIELDS[key] : undefined;
    if (field === undefined ? !hasAttribute(row, key, value) : !field(row, value)) return false;
  }
  return true;
}

function hasAttribute(row: Candidate, key: string, value: string): boolean {
  const has = (attributes: AttributeMap, name: string) =>
    Object.hasOwn(attributes, name) && showText(attributes[name] ?? null) === value;
  const resource = parseObject(row.resource);
  if (key.startsWith(RESOURCE)) return has(resource, withoutLevel(key));
  return (
    has(parseObject(row.attributes), key) ||
    has(resource, key) ||
    [...parseList(row.events), ...parseList(row.links)].some((one) => has(attributesOf(one), key))
  );
}

const RESOURCE = "resource.";

function withoutLevel(key: string): string {
  return key.startsWith(RESOURCE) ? key.slice(RESOURCE.length) : key;
}

function attributesOf(one: unknown): AttributeMap {
  const attributes = (one as { attributes?: unknown } | null)?.attributes;
  return typeof attributes === "object" && attributes !== null ? (attributes as AttributeMap) : {};
}

function readTruth(text: string | undefined): boolean | undefined {
  return text === "true" || text === "1" ? true : text === "false" || text === "0" ? false : undefined;
}

import { fingerprintOf } from "../store/fingerprint-of.js";
import type { Store } from "../store/open-store.js";
import type { AttributeMap, FindingItem, Findings, Value } from "./answers.js";
import { numberOf, parseObject, textOf } from "./attributes.js";
import { readText, readChoice } from "./parameters.js";
import { ProblemError } from "./problem-error.js";
import { readRow, readRows, writeRow } from "./read-rows.js";

interface FindingRow {
  readonly service: string;
  readonly finding_id: string;
  readonly kind: string;
  readonly first_us: number;
  readonly last_us: number;
  readonly count: number;
  readonly trace_id: string;
  readonly title: string;
  readonly attributes: string;
  readonly is_muted: number;
  readonly is_kept: number;
}

/** The newest last, so that it is what stands for all. */
const ALL = `
SELECT service, finding_id, kind, first_us, last_us, count, trace_id, title, finding.attributes,
  EXISTS (SELECT 1 FROM muted WHERE muted.finding_id = finding.finding_id) AS is_muted,
  EXISTS (SELECT 1 FROM span WHERE span.trace_id = finding.trace_id) AS is_kept
FROM finding JOIN resource ON resource.id = resource_id
ORDER BY last_us`;

const RANKS: Readonly<Record<string, number>> = { error: 2, warning: 1, info: 0 };

/** A finding, and the traces that it names, kept or not. */
export interface KnownFinding {
  readonly item: FindingItem;
  readonly traceIds: readonly string[];
}

/** Worst first: by severity, then by the time that was lost, then by how often. */
export function knownFindings(store: Store): KnownFinding[] {
  const groups = new Map<string, FindingRow[]>();
  for (const row of readRows<FindingRow>(store, ALL)) {
    const key = `${row.finding_id}\n${row.service}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [row]);
    else group.push(row);
  }
  const rank = ({ severity }: FindingItem) => RANKS[severity] ?? 0;
  return [...groups.values()]
    .map((rows) => ({ item: itemOf(rows), traceIds: rows.map((row) => row.trace_id) }))
    .sort(({ item: a }, { item: b }) => rank(b) - rank(a) || (b.lostMs ?? 0) - (a.lostMs ?? 0) || b.count - a.count);
}

export function allFindings(store: Store): FindingItem[] {
  return knownFindings(store).map(({ item }) => item);
}

/** One thing that was found in several processes of a service: counts and times are added up. */
function itemOf(rows: readonly FindingRow[]): FindingItem {
  const last = rows.at(-1) as FindingRow;
  const all = rows.map((row) => parseObject(row.attributes));
  const lost = all.map((each) => numberOf(each, "telltale.finding.lost_ms")).filter((ms) => ms !== null);
  return {
    id: last.finding_id,
    service: last.service,
    kind: last.kind,
    title: last.title,
    ...describeFinding(all.at(-1) ?? {}),
    count: rows.reduce((sum, { count }) => sum + count, 0),
    lostMs: lost.length === 0 ? null : lost.reduce((sum, ms) => sum + ms, 0),
    firstMs: Math.min(...rows.map((row) => row.first_us)) / 1000,
    lastMs: last.last_us / 1000,
    traceId: rows.findLast((row) => row.is_kept === 1)?.trace_id ?? null,
    isMuted: last.is_muted === 1,
  };
}

/** What the attributes of the event say, in logs and on spans. */
export function describeFinding(attributes: AttributeMap) {
  const severity = textOf(attributes, "telltale.finding.severity");
  const system = textOf(attributes, "db.system.name");
  const summary = textOf(attributes, "db.query.summary", "telltale.finding.query_summary");
  const queryText = textOf(attributes, "db.query.text");
  const namespace = textOf(attributes, "db.namespace") ?? undefined;
  return {
    severity:
      severity === "error" ? ("error" as const) : severity === "warning" ? ("warning" as const) : ("info" as const),
    cause: textOf(attributes, "telltale.finding.cause"),
    advice: textOf(attributes, "telltale.finding.advice"),
    endpoint: textOf(attributes, "telltale.finding.endpoint", "http.route"),
    summary,
    queryText,
    fingerprint:
      system === null || (queryText ?? summary) === null
        ? null
        : fingerprintOf(system, namespace, queryText ?? undefined, summary ?? undefined),
    site: siteOf(attributes),
    plan: textOf(attributes, "telltale.finding.plan"),
    evidence: evidenceOf(attributes),
    isAccepted: attributes["telltale.finding.accepted"] === true,
  };
}

/** `src/orders.ts:41` */
export function siteOf(attributes: AttributeMap): string | null {
  const file = textOf(attributes, "code.file.path", "code.filepath");
  const line = numberOf(attributes, "code.line.number", "code.lineno");
  return file === null ? null : line === null ? file : `${file}:${line}`;
}

const TOLD = new Set([
  ...[
    "id",
    "kind",
    "severity",
    "cause",
    "advice",
    "count",
    "first_seen",
    "lost_ms",
    "endpoint",
    "plan",
    "accepted",
    "title",
    "query_summary",
  ].map((name) => `telltale.finding.${name}`),
  "db.query.summary",
  "db.query.text",
  "code.file.path",
  "code.line.number",
]);

/** All that has no field of its own; without the prefix that all of it has. */
function evidenceOf(attributes: AttributeMap): AttributeMap {
  const evidence: Record<string, Value> = {};
  for (const [name, value] of Object.entries(attributes)) {
    if (TOLD.has(name) || name.startsWith("telltale.finding.evidence.")) continue;
    evidence[name.startsWith("telltale.finding.") ? name.slice("telltale.finding.".length) : name] = value;
  }
  const prefix = "telltale.finding.evidence.";
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith(prefix)) evidence[name.slice(prefix.length)] = value;
  }
  return evidence;
}

/** `GET /api/findings` */
export function answerFindings(store: Store, url: URL): Findings {
  const service = readText(url, "service");
  const kind = readText(url, "kind");
  const showsMuted = readChoice(url, "muted", "false", ["true", "false"]) === "true";
  const wanted = allFindings(store).filter(
    (item) => (service === undefined || item.service === service) && (kind === undefined || item.kind === kind),
  );
  return {
    findings: showsMuted ? wanted : wanted.filter((item) => !item.isMuted),
    muted: wanted.filter((item) => item.isMuted).length,
  };
}

/** `POST /api/findings/:id/mute` with `{"muted": true}` */
export function muteFinding(store: Store, id: string, body: string | undefined): FindingItem {
  const isMuted = readMuted(body);
  if (readRow(store, "SELECT 1 FROM finding WHERE finding_id = :id", { id }) === undefined) {
    throw new ProblemError(404, `no finding ${JSON.stringify(id.slice(0, 100))} is kept: GET /api/findings lists them`);
  }
  writeRow(
    store,
    isMuted ? "INSERT OR IGNORE INTO muted (finding_id) VALUES (:id)" : "DELETE FROM muted WHERE finding_id = :id",
    { id },
  );
  return allFindings(store).find((item) => item.id === id) as FindingItem;
}

function readMuted(body: string | undefined): boolean {
  const { muted } = parseObject(body ?? "");
  if (typeof muted === "boolean") return muted;
  const got = JSON.stringify(body?.slice(0, 100) ?? "");
  throw new ProblemError(400, `expected {"muted": true} or {"muted": false} as JSON, got ${got}: send one of these`);
}

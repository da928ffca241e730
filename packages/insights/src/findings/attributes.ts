import type { Attributes } from "@opentelemetry/api";
import { annotateOperation, type Finding, type FindingRecord, type Operation } from "@telltale/core";
import { causeOf, severityOf } from "./kinds.js";

/** The name of a finding as an event, on spans and in logs. */
export const FINDING_EVENT = "telltale.finding";

/** Notes a finding on the span of the call or request it is about: its kind as an attribute, the rest as an event, as there may be several. */
export function noteOnSpan(finding: Finding, operation: Operation): void {
  const { kind, title, advice, count, durationMs, againstMs, evidence } = finding;
  annotateOperation(operation, "telltale.finding.kind", kind);
  const { span } = operation;
  if (span === undefined || !span.isRecording()) return;
  const attributes: Attributes = {
    "telltale.finding.kind": kind,
    "telltale.finding.severity": severityOf(finding),
    "telltale.finding.title": title,
    "telltale.finding.cause": causeOf(finding),
    "telltale.finding.advice": advice,
    "telltale.finding.count": count,
    "telltale.finding.duration_ms": durationMs,
    "telltale.finding.against_ms": againstMs,
  };
  addEvidence(attributes, evidence);
  span.addEvent(FINDING_EVENT, attributes);
}

/** A finding as the attributes of a log record. */
export function attributesOf(finding: FindingRecord): Attributes {
  const { callSite } = finding;
  const attributes: Attributes = {
    "telltale.finding.id": finding.id,
    "telltale.finding.kind": finding.kind,
    "telltale.finding.severity": finding.severity,
    "telltale.finding.cause": finding.cause,
    "telltale.finding.advice": finding.advice,
    "telltale.finding.page": finding.page,
    "telltale.finding.count": finding.count,
    "telltale.finding.first_seen": new Date(finding.firstSeen).toISOString(),
    "telltale.finding.lost_ms": finding.lostMs,
    "telltale.finding.calls": finding.calls,
    "telltale.finding.duration_ms": finding.durationMs,
    "telltale.finding.wait_ms": finding.waitMs,
    "telltale.finding.against_ms": finding.againstMs,
    "telltale.finding.endpoint": finding.endpoint,
    "telltale.finding.subject": finding.subject,
    "telltale.finding.plan": finding.plan,
    "telltale.slow.reason": finding.reason,
    "http.route": finding.route,
    "db.system.name": finding.system,
    "db.namespace": finding.namespace,
    "db.query.summary": finding.querySummary,
    "db.query.text": finding.queryText,
    "code.file.path": callSite?.file,
    "code.line.number": callSite?.line,
    "code.function.name": callSite?.function,
  };
  for (const name in attributes) if (attributes[name] === undefined) delete attributes[name];
  addEvidence(attributes, finding.evidence);
  return attributes;
}

function addEvidence(attributes: Attributes, evidence: Finding["evidence"]): void {
  for (const name in evidence) attributes[`telltale.finding.evidence.${name}`] = evidence[name];
}

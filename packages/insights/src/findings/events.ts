import { type Logger, ROOT_CONTEXT, trace, TraceFlags } from "@opentelemetry/api";
import type { FindingRecord, FindingSeverity, Listener } from "@telltale/core";
import { attributesOf, FINDING_EVENT } from "./attributes.js";

/** https://opentelemetry.io/docs/specs/otel/logs/data-model/#field-severitynumber */
const SEVERITIES: Readonly<Record<FindingSeverity, readonly [number: number, text: string]>> = {
  info: [9, "INFO"],
  warning: [13, "WARN"],
  error: [17, "ERROR"],
};

/**
 * Writes what is told of findings as events of OpenTelemetry's logs: named `telltale.finding`, the title as body, all else as attributes,
 * in the trace it is about where that is exported.
 */
export function createFindingEvents(logger: Logger): Listener {
  return {
    name: "finding events",
    findingTold(finding) {
      const [severityNumber, severityText] = SEVERITIES[finding.severity];
      logger.emit({
        eventName: FINDING_EVENT,
        timestamp: finding.lastSeen,
        severityNumber,
        severityText,
        body: finding.title,
        attributes: attributesOf(finding),
        context: contextOf(finding),
      });
    },
  };
}

function contextOf({ traceId, spanId, sampled }: FindingRecord) {
  if (!sampled || traceId === undefined || spanId === undefined) return ROOT_CONTEXT;
  return trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags: TraceFlags.SAMPLED });
}

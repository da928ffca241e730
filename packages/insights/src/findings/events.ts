import { type Logger, ROOT_CONTEXT, trace, TraceFlags } from "@opentelemetry/api";
import {
  createGuard,
  type FindingRecord,
  type FindingSeverity,
  type Listener,
  startTimer,
  stopTimer,
} from "@telltale/core";
import { attributesOf, FINDING_EVENT } from "./attributes.js";

/** https://opentelemetry.io/docs/specs/otel/logs/data-model/#field-severitynumber */
const SEVERITIES: Readonly<Record<FindingSeverity, readonly [number: number, text: string]>> = {
  info: [9, "INFO"],
  warning: [13, "WARN"],
  error: [17, "ERROR"],
};

export interface FindingEventsOptions {
  /** How often findings that came again since are told of, in ms. Default 0: when people are, once a minute while it comes again. */
  readonly everyMs?: number;
  /** All findings of now. */
  readonly read?: () => readonly FindingRecord[];
}

/**
 * Writes what is told of findings as events of OpenTelemetry's logs: named `telltale.finding`, the title as body, all else as attributes,
 * in the trace it is about where that is exported.
 */
export function createFindingEvents(logger: Logger, { everyMs = 0, read }: FindingEventsOptions = {}): Listener {
  /** By id, how often each had come when it was last told of. */
  let counts = new Map<string, number>();
  let timer: ReturnType<typeof startTimer> | undefined;
  const guard = createGuard("finding events", () => stopTimer(timer));

  function tell(finding: FindingRecord): void {
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
  }

  function tellAgain(all: readonly FindingRecord[]): void {
    const before = counts;
    counts = new Map();
    for (const finding of all) {
      const told = before.get(finding.id);
      // It is accepted, or one too many: nobody was told of it.
      if (told === undefined) continue;
      counts.set(finding.id, finding.count);
      if (told < finding.count) tell(finding);
    }
  }

  function start(every: () => readonly FindingRecord[]): void {
    timer = startTimer(() => {
      try {
        tellAgain(every());
      } catch (error) {
        guard.failed(error);
      }
      if (guard.on) start(every);
    }, everyMs);
    timer.unref();
  }

  return {
    name: "finding events",
    findingTold(finding) {
      if (timer !== undefined) counts.set(finding.id, finding.count);
      tell(finding);
    },
    added() {
      if (everyMs > 0 && read !== undefined) start(read);
    },
    removed: () => stopTimer(timer),
  };
}

function contextOf({ traceId, spanId, sampled }: FindingRecord) {
  if (!sampled || traceId === undefined || spanId === undefined) return ROOT_CONTEXT;
  return trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags: TraceFlags.SAMPLED });
}

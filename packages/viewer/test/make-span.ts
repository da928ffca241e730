import type { TraceSpan } from "../src/api/answers.js";

let made = 0;

/** A span of a trace as the API answers it, of which only what matters need be said. */
export function makeSpan(said: Partial<TraceSpan>): TraceSpan {
  made++;
  return {
    spanId: made.toString(16).padStart(16, "0"),
    parent: -1,
    depth: 0,
    isOrphan: false,
    service: "shop",
    scope: "test",
    name: "span",
    kind: "internal",
    startMs: 0,
    skewMs: 0,
    durationMs: 1,
    selfMs: 1,
    isCritical: false,
    status: "unset",
    statusMessage: "",
    poolWaitMs: 0,
    loopDelayMs: 0,
    group: null,
    finding: null,
    attributes: {},
    events: [],
    links: [],
    ...said,
  };
}

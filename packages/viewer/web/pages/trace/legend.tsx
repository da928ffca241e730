import { useMemo } from "preact/hooks";
import type { Trace } from "../../../src/api/answers.js";
import { showLine } from "../../show-text.js";
import { isWorthDrawing } from "./bar-pieces.js";
import type { TraceModel } from "./trace-model.js";

/** What the bars' patterns and letters mean: only what this trace shows. */
export function Legend({ model }: { readonly model: TraceModel }) {
  const has = useMemo(() => findSigns(model.trace), [model]);
  return (
    <ul class="wf-legend" aria-label="What the bars show">
      {model.services.size > 1 &&
        [...model.services].slice(0, 12).map(([service, { colour, letter }]) => (
          <li key={service}>
            <span class="wf-service" data-colour={colour + 1}>
              {letter}
            </span>{" "}
            {showLine(service, 30)}
          </li>
        ))}
      <li>
        <i class="wf-key wf-busy" data-colour="1" /> self
      </li>
      <li>
        <i class="wf-key wf-bar" data-colour="1" /> in children
      </li>
      {has.critical && (
        <li>
          <i class="wf-key wf-critical" /> critical path
        </li>
      )}
      {has.wait && (
        <li>
          <i class="wf-key wf-wait" data-colour="1" /> waits for a connection
        </li>
      )}
      {has.loop && (
        <li>
          <i class="wf-key wf-loop" data-colour="1" /> kept by the event loop
        </li>
      )}
      {has.log && (
        <li>
          <i class="wf-mark" data-is="log" /> log
        </li>
      )}
      {has.event && (
        <li>
          <i class="wf-mark" data-is="event" /> event
        </li>
      )}
    </ul>
  );
}

function findSigns({ spans, logs }: Trace) {
  return {
    critical: spans.some(({ isCritical }) => isCritical),
    wait: spans.some((span) => isWorthDrawing(span.poolWaitMs, span)),
    loop: spans.some((span) => isWorthDrawing(span.loopDelayMs, span)),
    log: logs.length > 0,
    event: spans.some(({ events }) => events.length > 0),
  };
}

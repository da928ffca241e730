import { showLine } from "../../show-text.js";
import { isWorthDrawing } from "./bar-pieces.js";
import type { TraceModel } from "./trace-model.js";

/** What the bars' patterns and letters mean: only what this trace shows. */
export function Legend({ model }: { readonly model: TraceModel }) {
  const { spans, logs } = model.trace;
  const has = (holds: (span: (typeof spans)[number]) => boolean): boolean => spans.some(holds);
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
      {has(({ isCritical }) => isCritical) && (
        <li>
          <i class="wf-key wf-critical" /> critical path
        </li>
      )}
      {has((span) => isWorthDrawing(span.poolWaitMs, span)) && (
        <li>
          <i class="wf-key wf-wait" data-colour="1" /> waits for a connection
        </li>
      )}
      {has((span) => isWorthDrawing(span.loopDelayMs, span)) && (
        <li>
          <i class="wf-key wf-loop" data-colour="1" /> kept by the event loop
        </li>
      )}
      {logs.length > 0 && (
        <li>
          <i class="wf-mark" data-is="log" /> log
        </li>
      )}
      {has(({ events }) => events.length > 0) && (
        <li>
          <i class="wf-mark" data-is="event" /> event
        </li>
      )}
    </ul>
  );
}

import { showLine } from "../../show-text.js";
import type { TraceModel } from "./trace-model.js";

/** The letter and colour of a service; nothing where a trace has one only. */
export function ServiceBadge({ model, service }: { readonly model: TraceModel; readonly service: string }) {
  const mark = model.services.get(service);
  if (!mark || model.services.size < 2) return null;
  return (
    <span class="wf-service" data-colour={mark.colour + 1} title={showLine(service)}>
      {mark.letter}
    </span>
  );
}

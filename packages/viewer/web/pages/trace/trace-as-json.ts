import type { TraceModel } from "./trace-model.js";

/** A span with its logs, as the API answered them. */
export function spanAsJson({ trace, logsAt }: TraceModel, index: number): string {
  const logs = (logsAt.get(index) ?? []).map((number) => trace.logs[number]);
  return JSON.stringify({ traceId: trace.traceId, ...trace.spans[index], logs }, null, 2);
}

/** All of a trace but the traces that are like it. */
export function traceAsJson({ trace }: TraceModel): string {
  return JSON.stringify({ ...trace, alike: undefined }, null, 2);
}

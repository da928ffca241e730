import type { Trace, TraceSpan } from "../../api/answers.js";
import { NoAnswerError } from "../ask-viewer.js";
import { clean } from "../clean.js";
import { describeMoment, describeMs } from "../describe-time.js";
import { drawWaterfall } from "../draw-waterfall.js";
import { inputSchema } from "../input-schema.js";
import { defineTool } from "../tool.js";
import { describeShortly } from "./findings.js";
import { describeRequest } from "./list-requests.js";

const MAX_LOGS = 20;
const MAX_FINDINGS = 10;
const MAX_ALIKE = 3;

export const getTrace = defineTool({
  name: "get_trace",
  title: "One trace",
  description:
    "Draws one trace as a waterfall of text, so that one sees where its time went: begin and duration of each span, * on the critical path, repeats in one line (25× SELECT …), " +
    "waits for a pooled connection, delays of the event loop, errors, logs, findings. With span_id: all that is known of one span.",
  inputSchema: inputSchema(
    {
      trace_id: {
        type: "string",
        description: "As list_requests, list_findings and get_query name it.",
        minLength: 1,
        maxLength: 64,
      },
      span_id: { type: "string", description: "Shows this span's attributes and events instead.", maxLength: 32 },
      max_lines: {
        type: "integer",
        description: "The longest spans are kept, with those they are in.",
        minimum: 5,
        maximum: 500,
        default: 80,
      },
    },
    ["trace_id"],
  ),
  async call({ trace_id: traceId, span_id: spanId, max_lines: maxLines }, ask) {
    const trace = (await ask(["trace", String(traceId)], {})) as Trace;
    if (spanId !== undefined) return showSpan(trace, String(spanId));
    const { lines, rows, hidden } = drawWaterfall(trace, Number(maxLines));
    const left = hidden + trace.leftOut;
    // Findings are told below, with their advice.
    const told = trace.logs.filter(({ eventName }) => eventName !== "telltale.finding");
    const logs = told.slice(0, MAX_LOGS).map(({ timeMs, severity, eventName, body }) => {
      const text = [eventName, body].filter((part) => part !== "").join(": ");
      return `log at ${describeMs(timeMs)}${severity === "" ? "" : ` [${clean(severity, 12)}]`} ${clean(text)}`;
    });
    const more = told.length - logs.length;
    return {
      heading:
        `One trace of ${trace.spans.length + trace.leftOut} spans, ${describeMs(trace.durationMs)}, in ${trace.services.length} services.` +
        `${left > 0 ? ` ${left} spans are not shown: raise max_lines to see more.` : ""}` +
        `${more > 0 ? ` ${more} more log records are kept.` : ""}` +
        ` Columns: begin, duration, where in the trace, * critical path.`,
      lines: [
        `trace ${clean(trace.traceId, 40)} at ${describeMoment(trace.startMs)}`,
        ...lines,
        ...logs,
        ...trace.findings.slice(0, MAX_FINDINGS).flatMap(describeShortly),
        ...trace.alike.slice(0, MAX_ALIKE).map((request) => `same route: ${describeRequest(request)}`),
      ],
      data: {
        traceId: trace.traceId,
        startMs: trace.startMs,
        durationMs: trace.durationMs,
        services: trace.services,
        spans: rows,
        hiddenSpans: left,
        findings: trace.findings.slice(0, MAX_FINDINGS).map(({ id, kind, title }) => ({ id, kind, title })),
      },
    };
  },
});

function showSpan(trace: Trace, spanId: string) {
  const span = trace.spans.find((one) => one.spanId === spanId);
  if (span === undefined) throw new NoAnswerError("The trace has no such span: get_trace without span_id names them.");
  const told = (attributes: TraceSpan["attributes"], indent: string) =>
    Object.entries(attributes)
      .slice(0, 100)
      .map(
        ([name, value]) =>
          `${indent}${clean(name, 120)}: ${clean(typeof value === "string" ? value : JSON.stringify(value), 2_000)}`,
      );
  return {
    heading: "One span.",
    lines: [
      `${clean(span.name)} · ${span.kind} of ${clean(span.service, 80)}, scope ${clean(span.scope, 120)}`,
      `begins at ${describeMs(span.startMs)}, takes ${describeMs(span.durationMs)}, ${describeMs(span.selfMs)} of it in itself`,
      `status ${span.status}${span.statusMessage === "" ? "" : `: ${clean(span.statusMessage, 1_000)}`}`,
      ...told(span.attributes, "  "),
      ...span.events
        .slice(0, 30)
        .flatMap((event) =>
          [`event at ${describeMs(event.timeMs)}: ${clean(event.name)}`].concat(told(event.attributes, "  ")),
        ),
      ...span.links
        .slice(0, 20)
        .map((link) => `link to trace ${clean(link.traceId, 40)}, span ${clean(link.spanId, 20)}`),
    ],
    data: { span },
  };
}

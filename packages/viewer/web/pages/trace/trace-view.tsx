import { useRef, useState } from "preact/hooks";
import type { TraceSpan } from "../../../src/api/answers.js";
import { CopyButton } from "../../components/copy-button.js";
import { Page, Section } from "../../components/page.js";
import { formatMs, formatPlural, formatTime } from "../../format.js";
import { showLine } from "../../show-text.js";
import { ComparePicker } from "./compare-picker.js";
import { TraceFindings } from "./trace-findings.js";
import { Legend } from "./legend.js";
import { LogList } from "./log-list.js";
import { nameSpan } from "./name-span.js";
import { Overview } from "./overview.js";
import { SpanDetails } from "./span-details.js";
import { traceAsJson } from "./trace-as-json.js";
import type { TraceModel } from "./trace-model.js";
import { useTraceKeys } from "./use-trace-keys.js";
import { useTraceState } from "./use-trace-state.js";
import { Waterfall } from "./waterfall.js";

export function TraceView({ model }: { readonly model: TraceModel }) {
  const { trace } = model;
  const state = useTraceState(model);
  const search = useRef<HTMLInputElement>(null);
  const heading = useRef<HTMLHeadingElement>(null);
  const page = useRef<HTMLDivElement>(null);
  const [said, setSaid] = useState("");
  const say = (text: string): void => {
    setSaid(text);
    setTimeout(() => setSaid(""), 2000);
  };
  const toGrid = (): void => page.current?.querySelector<HTMLElement>(".wf")?.focus();
  const onKeyDown = useTraceKeys(model, state, { search, heading, toGrid, say });

  const root = trace.spans[model.tree.roots[0] ?? -1];
  const title = root ? showLine(nameSpan(root), 120) : "Trace";
  const row = state.rows[state.chosen];
  const isZoomed = state.range.fromMs > model.whole.fromMs || state.range.toMs < model.whole.toMs;

  return (
    <Page
      title={title}
      heading={<bdi>{title}</bdi>}
      tools={
        <>
          <ComparePicker trace={trace} />
          <CopyButton text={() => traceAsJson(model)} label="Copy trace as JSON" />
        </>
      }
    >
      <div ref={page}>
        <p class="trace-facts">
          <b>{formatMs(trace.durationMs)}</b> {root && tellRequest(root)} at{" "}
          {formatTime(trace.startMs, { withMs: true })} · {formatPlural(trace.spans.length + trace.leftOut, "span")} ·{" "}
          {trace.services
            .slice(0, 6)
            .map((service) => showLine(service, 40))
            .join(", ")}
          {trace.services.length > 6 && ` and ${trace.services.length - 6} more services`}
          {model.errors > 0 && <span class="bad"> · ✕ {formatPlural(model.errors, "error")}</span>} ·{" "}
          <code class="dim">{showLine(trace.traceId, 32)}</code>
        </p>
        {trace.leftOut > 0 && (
          <p class="note">
            {trace.spans.length.toLocaleString("en")} of {(trace.spans.length + trace.leftOut).toLocaleString("en")}{" "}
            spans are shown: findings, errors and the critical path, then level by level. Bars are full where spans ran
            that are left out.
          </p>
        )}
        {state.isLost && <p class="note">The span that this address names is not among those shown.</p>}
        {trace.findings.length > 0 && (
          <TraceFindings
            findings={trace.findings}
            onShow={(number) => {
              state.showAll(model.findings.spansOf[number] ?? []);
              toGrid();
            }}
          />
        )}
        <div class="wf-tools">
          <input
            ref={search}
            type="search"
            data-filter=""
            aria-label="Search in the trace"
            placeholder="Search in the trace  /"
            value={state.wanted}
            onInput={(event) => state.setWanted(event.currentTarget.value)}
            onKeyDown={(event) => {
              if (event.key !== "Enter") return;
              event.preventDefault();
              state.goToMatch(event.shiftKey ? -1 : 1);
              if (!event.shiftKey) toGrid();
            }}
          />
          <span class="dim" role="status">
            {state.wanted.trim() !== "" && formatPlural(state.matches.size, "match", "matches")}
          </span>
          <label>
            <input
              type="checkbox"
              checked={state.isCriticalOnly}
              onChange={(event) => state.setCriticalOnly(event.currentTarget.checked)}
            />{" "}
            critical path only
          </label>
          <button type="button" class="quiet" onClick={state.closeAll} title="Closes all spans below the first">
            Close all
          </button>
          <button type="button" class="quiet" onClick={state.openAll} title="Opens all spans, and no groups">
            Open all
          </button>
          <span role="status">{said}</span>
          {isZoomed && (
            <button type="button" onClick={() => state.setRange(model.whole)} title="0">
              Whole trace
            </button>
          )}
        </div>
        <div class="trace-panes" data-details={row && state.isDetailed ? "" : undefined}>
          <div class="trace-main">
            <Overview model={model} range={state.range} onRange={state.setRange} />
            <Waterfall
              model={model}
              rows={state.rows}
              chosen={state.chosen}
              matches={state.matches}
              range={state.range}
              onRange={state.setRange}
              onChoose={(place) => {
                state.choose(place);
                state.setDetailed(true);
              }}
              onFold={(place) => state.foldRow(place)}
              onKeyDown={onKeyDown}
            />
            <Legend model={model} />
          </div>
          {row && state.isDetailed && (
            <SpanDetails
              key={row.key}
              model={model}
              row={row}
              heading={heading}
              onClose={() => {
                state.setDetailed(false);
                toGrid();
              }}
            />
          )}
        </div>
        {trace.logs.length > 0 && (
          <Section
            title="Logs"
            note={model.otherLogs.length > 0 ? `${model.otherLogs.length} of no span shown here` : undefined}
          >
            <LogList
              logs={trace.logs}
              onSpan={(spanId) => {
                const index = model.indexOf.get(spanId);
                if (index === undefined) return;
                state.show(index);
                toGrid();
              }}
            />
          </Section>
        )}
      </div>
    </Page>
  );
}

/** `for /orders?page=2, 200`, as far as it is known. */
function tellRequest({ attributes }: TraceSpan): string {
  const { "url.path": path, "url.query": query, "http.response.status_code": status } = attributes;
  const target = typeof path === "string" ? `for ${showLine(path, 120)}` : "";
  const asked = typeof query === "string" && target !== "" ? `${target}?${showLine(query, 120)}` : target;
  return typeof status === "number" ? `${asked}, ${status},` : asked;
}

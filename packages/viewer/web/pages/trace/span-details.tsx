import type { RefObject } from "preact";
import { CopyButton } from "../../components/copy-button.js";
import { SqlText } from "../../components/sql-text.js";
import { formatMs } from "../../format.js";
import { linkTo } from "../../router.js";
import { showLine } from "../../show-text.js";
import { AttributeTable, LongText } from "./attribute-table.js";
import { TraceFindings } from "./trace-findings.js";
import type { Row } from "./lay-out-rows.js";
import { LogList } from "./log-list.js";
import { ServiceBadge } from "./service-badge.js";
import { spanAsJson } from "./trace-as-json.js";
import type { TraceModel } from "./trace-model.js";

const MOST_EVENTS = 100;

/** All that is known of the chosen span. */
export function SpanDetails({
  model,
  row,
  heading,
  onClose,
}: {
  readonly model: TraceModel;
  readonly row: Row;
  readonly heading: RefObject<HTMLHeadingElement | null>;
  readonly onClose: () => void;
}) {
  const span = model.trace.spans[row.index];
  if (!span) return null;
  const findings = (model.findings.findingsAt.get(row.index) ?? []).flatMap(
    (number) => model.trace.findings[number] ?? [],
  );
  const logs = (model.logsAt.get(row.index) ?? []).flatMap((number) => model.trace.logs[number] ?? []);
  const query = span.attributes["db.query.text"];
  return (
    <aside class="span-details" aria-label="The chosen span">
      <div class="span-head">
        <h2 ref={heading} tabIndex={-1}>
          <ServiceBadge model={model} service={span.service} /> <bdi>{showLine(span.name, 400) || "(no name)"}</bdi>
        </h2>
        <CopyButton text={() => spanAsJson(model, row.index)} label="Copy JSON" />
        <button type="button" class="quiet" onClick={onClose} aria-label="Close" title="Esc">
          ✕
        </button>
      </div>
      {row.members && <GroupFacts model={model} members={row.members} />}
      <SpanFacts span={span} />
      {findings.length > 0 && <TraceFindings findings={findings} />}
      {typeof query === "string" && (
        <section>
          <h3>
            Query <CopyButton text={query} />
          </h3>
          <SqlText text={query} />
        </section>
      )}
      <section>
        <h3>Attributes</h3>
        <AttributeTable attributes={span.attributes} label="Attributes" />
      </section>
      {span.events.length > 0 && (
        <section>
          <h3>Events</h3>
          <ul class="logs">
            {span.events.slice(0, MOST_EVENTS).map((event, number) => (
              <li key={number}>
                <details>
                  <summary>
                    <span class="num">{formatMs(event.timeMs - span.startMs)} in</span> ◇ {showLine(event.name, 200)}
                  </summary>
                  <AttributeTable attributes={event.attributes} label="What the event says" />
                </details>
              </li>
            ))}
          </ul>
          {span.events.length > MOST_EVENTS && (
            <p class="dim">{span.events.length - MOST_EVENTS} more are in the JSON.</p>
          )}
        </section>
      )}
      {logs.length > 0 && (
        <section>
          <h3>Logs</h3>
          <LogList logs={logs} />
        </section>
      )}
      {span.links.length > 0 && (
        <section>
          <h3>Links</h3>
          <ul class="plain">
            {span.links.slice(0, MOST_EVENTS).map((link, number) => (
              <li key={number}>
                <a href={linkTo(["trace", link.traceId], { span: link.spanId })}>
                  <code>
                    {showLine(link.traceId, 32)} {showLine(link.spanId, 16)}
                  </code>
                </a>
                {Object.keys(link.attributes).length > 0 && (
                  <AttributeTable attributes={link.attributes} label="What the link says" />
                )}
              </li>
            ))}
          </ul>
        </section>
      )}
    </aside>
  );
}

function SpanFacts({ span }: { readonly span: TraceModel["trace"]["spans"][number] }) {
  const state = span.status === "error" ? "✕ error" : span.status === "ok" ? "✓ ok" : "not said";
  return (
    <>
      <dl class="span-facts">
        <Fact name="Service">{showLine(span.service, 200)}</Fact>
        <Fact name="Kind">{span.kind}</Fact>
        <Fact name="Starts at">{formatMs(span.startMs)}</Fact>
        <Fact name="Duration">{formatMs(span.durationMs)}</Fact>
        <Fact name="Self">
          {formatMs(span.selfMs)} <small>no child ran</small>
        </Fact>
        {span.poolWaitMs > 0 && (
          <Fact name="Pool wait">
            <i class="wf-key wf-wait" /> {formatMs(span.poolWaitMs)} <small>for a connection</small>
          </Fact>
        )}
        {span.loopDelayMs > 0 && (
          <Fact name="Loop delay">
            <i class="wf-key wf-loop" /> {formatMs(span.loopDelayMs)} <small>the event loop was busy</small>
          </Fact>
        )}
        <Fact name="Status">
          <span class={span.status === "error" ? "bad" : ""}>{state}</span>
        </Fact>
        <Fact name="Critical">{span.isCritical ? "━ on the critical path" : "no"}</Fact>
        <Fact name="Scope">{showLine(span.scope, 200) || "–"}</Fact>
        <Fact name="Span">
          <code>{showLine(span.spanId, 40)}</code>
        </Fact>
      </dl>
      {span.statusMessage !== "" && (
        <p class="bad">
          <LongText text={span.statusMessage} />
        </p>
      )}
      {span.isOrphan && (
        <p class="note">Its parent was named, but never came: it may not have been sampled, or is still on its way.</p>
      )}
      {span.skewMs !== 0 && (
        <p class="note">
          Moved by {formatMs(Math.abs(span.skewMs))} {span.skewMs > 0 ? "later" : "earlier"}, into its parent: the
          clocks of their machines disagree.
        </p>
      )}
    </>
  );
}

function Fact({ name, children }: { readonly name: string; readonly children: preact.ComponentChildren }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function GroupFacts({ model, members }: { readonly model: TraceModel; readonly members: readonly number[] }) {
  let totalMs = 0;
  let longestMs = 0;
  for (const index of members) {
    const { durationMs = 0 } = model.trace.spans[index] ?? {};
    totalMs += durationMs;
    longestMs = Math.max(longestMs, durationMs);
  }
  return (
    <p class="note">
      {members.length} alike take {formatMs(totalMs)} together, {formatMs(totalMs / members.length)} each, at most{" "}
      {formatMs(longestMs)}. The first of them:
    </p>
  );
}

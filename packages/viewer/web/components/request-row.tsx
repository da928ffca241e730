import type { ComponentChildren } from "preact";
import type { Did, RequestItem } from "../../src/api/answers.js";
import { formatCount, formatKind, formatMs, formatTime } from "../format.js";
import { linkTo } from "../router.js";
import { showLine } from "../show-text.js";

/** A request in one line: when, what, how it ended, how long it took, and what it did. The line is a link to its trace. */
export function RequestRow({
  id,
  request,
  slowestMs,
  hasServices,
  isChosen,
}: {
  readonly id: string;
  readonly request: RequestItem;
  /** What a full bar is. */
  readonly slowestMs: number;
  readonly hasServices: boolean;
  readonly isChosen: boolean;
}) {
  const { traceId, spanId, route, target, status, isError, startMs, durationMs, did, findings, service } = request;
  return (
    <li data-row={id} aria-current={isChosen ? "true" : undefined}>
      <a class="request" href={linkTo(["trace", traceId], { span: spanId })}>
        <time class="dim" dateTime={toIso(startMs)}>
          {formatTime(startMs, { withMs: true })}
        </time>
        <span class={isError ? "bad" : ""}>
          {isError ? "✕ " : ""}
          {status ?? (isError ? "error" : "ok")}
        </span>
        <span class="request-route">
          {showLine(route)} {target !== null && <small>{showLine(target)}</small>}{" "}
          {hasServices && <small class="request-service">{showLine(service, 60)}</small>}
        </span>
        <span class="request-findings">
          {findings.map((kind) => (
            <span key={kind} class="tag">
              ▲ {formatKind(showLine(kind, 60))}
            </span>
          ))}
        </span>
        <DidWhat did={did} />
        <span class="request-duration num">
          {formatMs(durationMs)}
          <span
            class="bar"
            aria-hidden="true"
            style={{ width: `${slowestMs > 0 ? (durationMs / slowestMs) * 100 : 0}%` }}
          />
        </span>
      </a>
    </li>
  );
}

/** `12 queries 34 ms`, `3 hits 1 miss`, `2 HTTP calls`; each has its place, so that they can be compared down the list. */
function DidWhat({ did }: { readonly did: Did }) {
  const { queries, queryMs, cacheHits, cacheMisses, httpCalls } = did;
  return (
    <span class="did">
      <Part is={queries > 0}>
        {formatCount(queries)} <small>{queries === 1 ? "query" : "queries"}</small> {formatMs(queryMs)}
      </Part>
      <Part is={cacheHits + cacheMisses > 0} title={`${formatCount(cacheHits + cacheMisses)} cache lookups`}>
        {formatCount(cacheHits)} <small>{cacheHits === 1 ? "hit" : "hits"}</small> {formatCount(cacheMisses)}{" "}
        <small>{cacheMisses === 1 ? "miss" : "misses"}</small>
      </Part>
      <Part is={httpCalls > 0}>
        {formatCount(httpCalls)} <small>HTTP {httpCalls === 1 ? "call" : "calls"}</small>
      </Part>
    </span>
  );
}

function Part({
  is,
  title,
  children,
}: {
  readonly is: boolean;
  readonly title?: string;
  readonly children: ComponentChildren;
}) {
  return (
    <span class="did-part" title={title}>
      {is && children}
    </span>
  );
}

/** Times from the wire may be none. */
function toIso(ms: number): string | undefined {
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? undefined : date.toISOString();
}

import type { Kept, Status } from "../../src/api/answers.js";
import type { ApiError } from "../api.js";
import { formatAgo, formatBytes, formatCount, formatPlural } from "../format.js";
import { showLine } from "../show-text.js";

const MAX_SOURCES = 6;

/** What the viewer holds and what it had to leave out, on every page. */
export function Footer({
  status,
  error,
}: {
  readonly status: Status | undefined;
  readonly error: ApiError | undefined;
}) {
  if (!status) return <footer class="foot">{error?.message ?? ""}</footer>;
  const dropped = status.spans.dropped + status.logs.dropped + status.points.dropped;
  const refused = Object.values(status.refused).reduce((sum, count) => sum + count, 0);
  const reasons = Object.entries(status.refused)
    .map(([reason, count]) => `${formatCount(count)} ${reason}`)
    .join(", ");
  const sources = status.sources.toSorted((a, b) => b.lastMs - a.lastMs).slice(0, MAX_SOURCES);
  return (
    <footer class="foot">
      <span>
        <HeldOf what="spans" kept={status.spans} /> · <HeldOf what="logs" kept={status.logs} /> ·{" "}
        <HeldOf what="points" kept={status.points} />
      </span>
      <span>
        {formatBytes(status.bytes)} of {formatBytes(status.maxBytes)}{" "}
        {status.file ? `in ${showLine(status.file)}` : "in memory"}
      </span>
      {dropped > 0 && <strong class="bad">⚠ {formatCount(dropped)} dropped</strong>}
      {refused > 0 && (
        <strong class="bad" title={reasons}>
          ⚠ {formatPlural(refused, "request")} refused <small>{showLine(reasons, 80)}</small>
        </strong>
      )}
      {status.cuts > 0 && (
        <span class="warn" title="Of what is longer than is kept, the beginning is">
          ▲ {formatCount(status.cuts)} cut short
        </span>
      )}
      {status.findingsForgotten > 0 && (
        <span class="warn">▲ {formatPlural(status.findingsForgotten, "finding")} made room</span>
      )}
      <span class="foot-sources">
        {status.sources.length === 0 && `waiting for telemetry at ${status.otlpUrl}`}
        {sources.map(({ service, instance, language, lastMs }) => (
          <span key={`${service} ${instance}`} title={showLine(`${instance} ${language ?? ""}`)}>
            {showLine(service, 60)} <small>{lastMs === 0 ? "a while ago" : formatAgo(lastMs)}</small>
          </span>
        ))}
        {status.sources.length > sources.length && `and ${formatCount(status.sources.length - sources.length)} more`}
      </span>
    </footer>
  );
}

function HeldOf({ what, kept }: { readonly what: string; readonly kept: Kept }) {
  const told = `received ${formatCount(kept.received)}, at most ${formatCount(kept.maxHeld)} are held, ${formatCount(kept.forgotten)} made room, ${formatCount(kept.dropped)} dropped`;
  return (
    <span title={told}>
      {formatCount(kept.held)} {what}
      {kept.forgotten > 0 && <small> (older ones made room)</small>}
    </span>
  );
}

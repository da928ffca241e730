import type { Kept, Status } from "../../src/api/answers.js";
import type { ApiError } from "../api.js";
import { formatAgo, formatBytes, formatCount } from "../format.js";
import { showLine } from "../show-text.js";

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
  const refused = Object.entries(status.refused);
  return (
    <footer class="foot">
      <span>
        <HeldOf what="spans" kept={status.spans} /> · <HeldOf what="logs" kept={status.logs} /> ·{" "}
        <HeldOf what="points" kept={status.points} />
      </span>
      <span>
        {formatBytes(status.bytes)} of {formatBytes(status.maxBytes)} {status.file ? `in ${status.file}` : "in memory"}
      </span>
      {dropped > 0 && <strong class="bad">⚠ {formatCount(dropped)} dropped</strong>}
      {refused.length > 0 && (
        <strong class="bad">
          ⚠ refused: {refused.map(([reason, count]) => `${formatCount(count)} ${reason}`).join(", ")}
        </strong>
      )}
      <span class="foot-sources">
        {status.sources.length === 0
          ? `waiting for telemetry at ${status.otlpUrl}`
          : status.sources.map(({ service, instance, language, lastMs }) => (
              <span key={`${service} ${instance}`} title={showLine(`${instance} ${language ?? ""}`)}>
                {showLine(service, 60)} <small>{formatAgo(lastMs)}</small>
              </span>
            ))}
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

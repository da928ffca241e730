import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import type { FindingItem, Value } from "../../src/api/answers.js";
import { apiPath, post } from "../api.js";
import { formatAgo, formatCount, formatKind, formatMs, formatTime } from "../format.js";
import { linkTo } from "../router.js";
import { CopyButton } from "./copy-button.js";
import { Severity } from "./severity.js";

export interface FindingCardProps {
  readonly finding: FindingItem;
  /** Told after it was muted or heard again; without it there is no button. */
  readonly onMute?: (finding: FindingItem) => void;
  /** Whether what it is known from is shown. */
  readonly isOpen?: boolean;
  readonly onToggle?: (isOpen: boolean) => void;
}

/** A finding: what, how bad, what to do; and, opened, why it is known. */
export function FindingCard({ finding, onMute, isOpen = false, onToggle }: FindingCardProps) {
  const { severity, title, cause, advice, endpoint, service, count, lostMs, firstMs, lastMs, site } = finding;
  return (
    <article class="finding" data-severity={severity} aria-label={title}>
      <header>
        <Severity of={severity} />
        <h3>{title}</h3>
        {onMute && <MuteButton finding={finding} onMute={onMute} />}
      </header>
      {advice !== null && (
        <p class="advice">
          <span aria-hidden="true">→</span> {advice}
        </p>
      )}
      <p class="facts">
        <Fact name="service">{service}</Fact>
        {endpoint !== null && (
          <Fact name="endpoint">
            <a href={linkTo(["requests"], { route: endpoint })}>{endpoint}</a>
          </Fact>
        )}
        <Fact name="found">{formatCount(count)}×</Fact>
        {lostMs !== null && <Fact name="lost">{formatMs(lostMs)}</Fact>}
        <Fact name="last">
          <span title={formatTime(lastMs)}>{formatAgo(lastMs)}</span>
        </Fact>
        {site !== null && (
          <Fact name="at">
            <code>{site}</code> <CopyButton text={site} />
          </Fact>
        )}
        {finding.isAccepted && <Fact name="accepted">by the configuration</Fact>}
        <Links finding={finding} />
      </p>
      <details open={isOpen} onToggle={(event) => onToggle?.(event.currentTarget.open)}>
        <summary>
          Evidence{finding.queryText !== null && ", query"}
          {finding.plan !== null && ", plan"}
        </summary>
        {cause !== null && <p>{cause}</p>}
        <Evidence finding={finding} />
        {finding.queryText !== null && (
          <>
            <h4>Query</h4>
            <pre>{finding.queryText}</pre>
          </>
        )}
        {finding.plan !== null && (
          <>
            <h4>Plan</h4>
            <pre class="plan">{finding.plan}</pre>
          </>
        )}
        <p class="dim">
          {formatKind(finding.kind)}, first seen {formatTime(firstMs)}, last {formatTime(lastMs)}
        </p>
      </details>
    </article>
  );
}

function Fact({ name, children }: { readonly name: string; readonly children: ComponentChildren }) {
  return (
    <span class="fact">
      <small>{name}</small> {children}
    </span>
  );
}

function Links({ finding: { traceId, fingerprint } }: { readonly finding: FindingItem }) {
  if (traceId === null && fingerprint === null) return null;
  return (
    <span class="fact links">
      {traceId !== null && <a href={linkTo(["trace", traceId])}>Trace</a>}
      {fingerprint !== null && <a href={linkTo(["queries", fingerprint])}>Query</a>}
    </span>
  );
}

function Evidence({ finding: { evidence } }: { readonly finding: FindingItem }) {
  const entries = Object.entries(evidence);
  if (entries.length === 0) return null;
  return (
    <dl class="evidence">
      {entries.map(([name, value]) => (
        <div key={name}>
          <dt>{nameOf(name)}</dt>
          <dd>{write(name, value)}</dd>
        </div>
      ))}
    </dl>
  );
}

/** `telltale.finding.evidence.hit_ratio` as `hit ratio`; the unit stands with the number. */
const nameOf = (name: string): string =>
  name
    .replace(/^telltale\.finding\.(evidence\.)?/, "")
    .replace(/(_ms|Ms)$/, "")
    .replaceAll("_", " ");

function write(name: string, value: Value): string {
  if (typeof value === "number") return /(_ms|Ms)$/.test(name) ? formatMs(value) : formatCount(value);
  return typeof value === "string" ? value : JSON.stringify(value);
}

function MuteButton({
  finding,
  onMute,
}: {
  readonly finding: FindingItem;
  readonly onMute: (finding: FindingItem) => void;
}) {
  const [problem, setProblem] = useState<string>();
  const mute = async () => {
    try {
      onMute(await post<FindingItem>(apiPath(["findings", finding.id, "mute"]), { muted: !finding.isMuted }));
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
    }
  };
  return (
    <span class="mute">
      {problem !== undefined && (
        <span class="bad" role="alert">
          ✕ {problem}
        </span>
      )}
      <button type="button" class="quiet" onClick={() => void mute()}>
        {finding.isMuted ? "Unmute" : "Mute"}
      </button>
    </span>
  );
}

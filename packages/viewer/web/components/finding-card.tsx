import type { ComponentChildren } from "preact";
import type { FindingItem } from "../../src/api/answers.js";
import { formatAgo, formatCount, formatMs, formatTime } from "../format.js";
import { linkTo } from "../router.js";
import { showLine } from "../show-text.js";
import { CopyButton } from "./copy-button.js";
import { FindingEvidence } from "./finding-evidence.js";
import { MuteButton } from "./mute-button.js";
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
  const { severity, advice, endpoint, service, count, lostMs, lastMs, site } = finding;
  const title = showLine(finding.title, 600);
  return (
    <article class="finding" data-severity={severity} aria-label={title}>
      <header>
        <Severity of={severity} />
        <h3>{title}</h3>
        {onMute && <MuteButton finding={finding} onMute={onMute} />}
      </header>
      {advice !== null && (
        <p class="advice">
          <span aria-hidden="true">→</span> {showLine(advice, 1000)}
        </p>
      )}
      <p class="facts">
        <Fact name="service">{showLine(service)}</Fact>
        {endpoint !== null && (
          <Fact name="endpoint">
            <a href={linkTo(["requests"], { route: endpoint })}>{showLine(endpoint)}</a>
          </Fact>
        )}
        <Fact name="found">{formatCount(count)}×</Fact>
        {lostMs !== null && <Fact name="lost">{formatMs(lostMs)}</Fact>}
        <Fact name="last">
          <span title={formatTime(lastMs)}>{formatAgo(lastMs)}</span>
        </Fact>
        {site !== null && (
          <Fact name="at">
            <code>{showLine(site)}</code> <CopyButton text={site} />
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
        <FindingEvidence finding={finding} />
      </details>
    </article>
  );
}

function Fact({ name, children }: { readonly name: string; readonly children: ComponentChildren }) {
  return (
    <span>
      <small>{name}</small> {children}
    </span>
  );
}

function Links({ finding: { traceId, fingerprint } }: { readonly finding: FindingItem }) {
  if (traceId === null && fingerprint === null) return null;
  return (
    <span class="links">
      {traceId !== null && <a href={linkTo(["trace", traceId])}>Trace</a>}
      {fingerprint !== null && <a href={linkTo(["queries", fingerprint])}>Query</a>}
    </span>
  );
}

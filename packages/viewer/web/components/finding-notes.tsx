import type { FindingItem } from "../../src/api/answers.js";
import { formatAgo, formatKind, formatMs, formatPlural } from "../format.js";
import { linkTo } from "../router.js";

const SIGNS = { error: ["✕", "bad"], warning: ["▲", "warn"], info: ["●", "dim"] } as const;

/** What is wrong with the thing that a page shows, each with its cure and the way to an example. */
export function FindingNotes({ findings }: { readonly findings: readonly FindingItem[] }) {
  return (
    <ul class="notes">
      {findings.map((finding) => {
        const [sign, className] = SIGNS[finding.severity];
        return (
          <li key={finding.id} class="note">
            <p>
              <strong class={className}>
                <span aria-hidden="true">{sign}</span> {formatKind(finding.kind)}
              </strong>{" "}
              <a href={linkTo(["findings"], { kind: finding.kind })}>{finding.title}</a>
            </p>
            {finding.cause !== null && <p>{finding.cause}</p>}
            {finding.advice !== null && <p class="note-advice">{finding.advice}</p>}
            <p class="dim">
              {[
                formatPlural(finding.count, "time"),
                finding.lostMs === null ? null : `${formatMs(finding.lostMs)} lost`,
                finding.endpoint,
                finding.site,
                `last ${formatAgo(finding.lastMs)}`,
              ]
                .filter((part) => part !== null)
                .join(" · ")}
              {finding.traceId !== null && (
                <>
                  {" · "}
                  <a href={linkTo(["trace", finding.traceId])}>a trace of it</a>
                </>
              )}
            </p>
          </li>
        );
      })}
    </ul>
  );
}

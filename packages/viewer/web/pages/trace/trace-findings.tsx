import { useState } from "preact/hooks";
import type { FindingItem } from "../../../src/api/answers.js";
import { formatKind, formatMs, formatPlural } from "../../format.js";
import { linkTo } from "../../router.js";
import { showLine, showLines } from "../../show-text.js";

const SIGNS = { error: ["✕", "bad"], warning: ["▲", "warn"], info: ["●", "info"] } as const;

/** The waterfall should not be far below. */
const FIRST = 3;

/** What was found in a trace or at a span: cause and cure; the evidence is a click away. */
export function TraceFindings({
  findings,
  onShow,
}: {
  readonly findings: readonly FindingItem[];
  /** Where given, leads to the spans that the finding (by its place in the list) tells of. */
  readonly onShow?: ((number: number) => void) | undefined;
}) {
  const [isAll, setAll] = useState(false);
  const more = findings.length - FIRST;
  return (
    <ul class="trace-findings">
      {(isAll ? findings : findings.slice(0, FIRST)).map((finding, number) => {
        const [sign, tone] = SIGNS[finding.severity] ?? SIGNS.info;
        return (
          <li key={finding.id} data-severity={finding.severity}>
            <p>
              <strong>
                <span class={tone}>
                  {sign} {showLine(formatKind(finding.kind), 40)}
                </span>{" "}
                <bdi>{showLine(finding.title)}</bdi>
              </strong>{" "}
              <small>
                {formatPlural(finding.count, "time")}
                {finding.lostMs !== null && finding.lostMs > 0 && <>, {formatMs(finding.lostMs)} lost</>}
                {finding.site !== null && <>, at {showLine(finding.site, 120)}</>}
              </small>{" "}
              {onShow && (
                <button type="button" onClick={() => onShow(number)}>
                  Show in the trace
                </button>
              )}{" "}
              <a href={linkTo(["findings"], { open: finding.id })}>Evidence</a>{" "}
              {finding.fingerprint !== null && <a href={linkTo(["queries", finding.fingerprint])}>Query</a>}
            </p>
            {finding.cause !== null && <p>{showLines(finding.cause, 600)}</p>}
            {finding.advice !== null && (
              <p>
                <b>What to do:</b> {showLines(finding.advice, 1000)}
              </p>
            )}
            {finding.plan !== null && (
              <details>
                <summary>Plan</summary>
                <pre>{showLines(finding.plan)}</pre>
              </details>
            )}
          </li>
        );
      })}
      {!isAll && more > 0 && (
        <li>
          <button type="button" onClick={() => setAll(true)}>
            {formatPlural(more, "finding more", "findings more")}
          </button>
        </li>
      )}
    </ul>
  );
}

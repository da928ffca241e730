import type { FindingItem } from "../../src/api/answers.js";
import { formatAgo, formatCount, formatMs } from "../format.js";
import { linkTo } from "../router.js";
import { showLine } from "../show-text.js";
import { Severity } from "./severity.js";

/** A finding in one line that leads to all there is to know about it; for lists on other pages. */
export function FindingLine({ finding }: { readonly finding: FindingItem }) {
  const { id, severity, title, count, lostMs, lastMs, service } = finding;
  return (
    <a class="finding-line" href={linkTo(["findings"], { open: id })}>
      <Severity of={severity} />
      <span class="finding-title">{showLine(title, 400)}</span>
      <small>
        {showLine(service, 60)} · {formatCount(count)}×{lostMs !== null && lostMs > 0 && ` · ${formatMs(lostMs)} lost`}{" "}
        · {formatAgo(lastMs)}
      </small>
    </a>
  );
}

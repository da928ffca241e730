import type { FindingItem, Value } from "../../src/api/answers.js";
import { formatCount, formatKind, formatMs, formatTime } from "../format.js";
import { layOutJson } from "../json-layout.js";
import { showLine, showLines } from "../show-text.js";
import { CopyButton } from "./copy-button.js";
import { SqlText } from "./sql-text.js";

/** Why a finding is known: numbers, query, plan. */
export function FindingEvidence({ finding }: { readonly finding: FindingItem }) {
  const { cause, evidence, queryText, plan, kind, firstMs, lastMs } = finding;
  // What is told of the kind comes first: `telltale.slow.reason` and `db.namespace` name what is known already.
  const entries = Object.entries(evidence).sort(([a], [b]) => Number(a.includes(".")) - Number(b.includes(".")));
  return (
    <>
      {cause !== null && <p>{showLines(cause)}</p>}
      {entries.length > 0 && (
        <dl class="evidence">
          {entries.map(([name, value]) => (
            <div key={name}>
              <dt>{showLine(nameOf(name))}</dt>
              <dd>{write(name, value)}</dd>
            </div>
          ))}
        </dl>
      )}
      {queryText !== null && (
        <>
          <h4>
            Query <CopyButton text={queryText} />
          </h4>
          <SqlText text={queryText} />
        </>
      )}
      {plan !== null && (
        <>
          <h4>
            Plan <CopyButton text={plan} />
          </h4>
          <pre class="plan" tabIndex={0} aria-label="Query plan">
            {showLines(layOutJson(plan))}
          </pre>
        </>
      )}
      <p class="dim">
        {formatKind(showLine(kind))}, first seen {formatTime(firstMs)}, last {formatTime(lastMs)}
      </p>
    </>
  );
}

const MS = /(_ms|Ms)$/;

/** `held_ms`, `heldMs` as `held`: the unit stands with the number. */
const nameOf = (name: string): string =>
  name
    .replace(MS, "")
    .replaceAll("_", " ")
    .replaceAll(/(?<=[a-z])[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);

function write(name: string, value: Value): string {
  if (typeof value === "number") return MS.test(name) ? formatMs(value) : formatCount(value);
  return showLine(typeof value === "string" ? value : JSON.stringify(value));
}

import { useState } from "preact/hooks";
import type { AttributeMap } from "../../../src/api/answers.js";
import { CopyButton } from "../../components/copy-button.js";
import { showLine, showLines } from "../../show-text.js";
import { showValue } from "./find-spans.js";

const MOST = 100;
const LONG = 600;

/** Attributes by name, each value to be copied as it came. */
export function AttributeTable({ attributes, label }: { readonly attributes: AttributeMap; readonly label: string }) {
  const [isAll, setAll] = useState(false);
  const all = Object.entries(attributes).sort(([a], [b]) => (a < b ? -1 : 1));
  if (all.length === 0) return <p class="dim">None.</p>;
  return (
    <>
      <table class="attributes" aria-label={label}>
        <tbody>
          {(isAll ? all : all.slice(0, MOST)).map(([name, value]) => (
            <tr key={name}>
              <th scope="row">{showLine(name, 120)}</th>
              <td>
                <LongText text={showValue(value)} />
              </td>
              <td class="copy">
                <CopyButton text={showValue(value)} label="Copy" />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {!isAll && all.length > MOST && (
        <button type="button" onClick={() => setAll(true)}>
          {all.length - MOST} more
        </button>
      )}
    </>
  );
}

/** A text that may be too long to show at once. */
export function LongText({ text }: { readonly text: string }) {
  const [isAll, setAll] = useState(false);
  return (
    <>
      <bdi class="value">{showLines(text, isAll ? 200_000 : LONG)}</bdi>{" "}
      {!isAll && text.length > LONG && (
        <button type="button" class="quiet" onClick={() => setAll(true)}>
          show all {text.length.toLocaleString("en")} characters
        </button>
      )}
    </>
  );
}

import type { FindingItem, Findings } from "../../src/api/answers.js";
import { formatKind } from "../format.js";
import { setQuery, usePlace } from "../router.js";
import { showLine } from "../show-text.js";

export interface FindingFilterState {
  readonly kind: string;
  readonly text: string;
  readonly isMutedShown: boolean;
  readonly matches: (finding: FindingItem) => boolean;
}

/** What the address says of which findings to show. */
export function useFindingFilter(): FindingFilterState {
  const { query } = usePlace();
  const kind = query.get("kind") ?? "";
  const text = query.get("text") ?? "";
  const wanted = text.toLowerCase();
  return {
    kind,
    text,
    isMutedShown: query.get("muted") === "true",
    matches: (finding) => (kind === "" || finding.kind === kind) && textOf(finding).includes(wanted),
  };
}

export function FindingFilter({
  filter: { kind, text, isMutedShown },
  data,
}: {
  readonly filter: FindingFilterState;
  readonly data: Findings | undefined;
}) {
  const kinds = new Set(data?.findings.map((finding) => finding.kind));
  if (kind) kinds.add(kind);
  return (
    <search class="filter">
      <input
        type="search"
        class="filter-text"
        aria-label="Text"
        placeholder="text ( / )"
        value={text}
        maxLength={200}
        data-filter=""
        onInput={(event) => setQuery({ text: event.currentTarget.value })}
      />
      <select
        aria-label="Kind"
        value={kind}
        onChange={(event) => setQuery({ kind: event.currentTarget.value }, { push: true })}
      >
        <option value="">all kinds</option>
        {[...kinds].sort().map((one) => (
          <option key={one} value={one}>
            {formatKind(showLine(one, 60))}
          </option>
        ))}
      </select>
      <label>
        <input
          type="checkbox"
          checked={isMutedShown}
          onChange={(event) => setQuery({ muted: event.currentTarget.checked ? "true" : null }, { push: true })}
        />{" "}
        muted ones too{data && data.muted > 0 ? ` (${data.muted})` : ""}
      </label>
    </search>
  );
}

const textOf = ({ title, service, endpoint, queryText, site }: FindingItem): string =>
  [title, service, endpoint, queryText, site].join(" ").toLowerCase();

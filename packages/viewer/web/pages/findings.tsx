import { useEffect, useState } from "preact/hooks";
import type { FindingItem, Findings } from "../../src/api/answers.js";
import { apiPath, post, useApi } from "../api.js";
import { FindingCard } from "../components/finding-card.js";
import { Empty, Loaded, NothingYet, Page, Section } from "../components/page.js";
import { useRowKeys } from "../components/row-keys.js";
import { formatKind, formatMs, formatPlural } from "../format.js";
import { useKeys } from "../keyboard.js";
import { setQuery, usePlace } from "../router.js";

export function FindingsPage() {
  const { query } = usePlace();
  const service = query.get("service");
  const kind = query.get("kind") ?? "";
  const text = query.get("text") ?? "";
  const isMutedShown = query.get("muted") === "true";
  const open = query.get("open");
  const answer = useApi<Findings>(apiPath(["findings"], { service, muted: isMutedShown || null }), ["findings"]);
  const [changed, setChanged] = useState<FindingItem>();

  const all = answer.data?.findings ?? [];
  const wanted = text.toLowerCase();
  const groups = groupByKind(
    all.filter((finding) => (kind === "" || finding.kind === kind) && textOf(finding).includes(wanted)),
  );
  const shown = groups.flatMap(([, findings]) => findings);
  const toggle = (id: string) => setQuery({ open: open === id ? null : id });
  const chosen = useRowKeys(
    "Findings",
    shown.map(({ id }) => id),
    toggle,
  );

  const onMute = (finding: FindingItem) => {
    setChanged(finding);
    answer.refresh();
  };
  const mute = async (finding: FindingItem | undefined) => {
    if (!finding) return;
    onMute(await post<FindingItem>(apiPath(["findings", finding.id, "mute"]), { muted: !finding.isMuted }));
  };
  useKeys("Findings", [
    {
      keys: "m",
      what: "mute, or unmute",
      run: () => void mute(shown.find(({ id }) => id === chosen)).catch(answer.refresh),
    },
  ]);

  // A link to a finding leads to it, once it is there.
  const [linked] = useState(open);
  const isThere = linked !== null && shown.some(({ id }) => id === linked);
  useEffect(() => {
    if (isThere) document.querySelector(`[data-row="${CSS.escape(linked)}"]`)?.scrollIntoView();
  }, [isThere, linked]);

  return (
    <Page title="Findings">
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
          {[...new Set([...all.map((finding) => finding.kind), ...(kind ? [kind] : [])])].sort().map((one) => (
            <option key={one} value={one}>
              {formatKind(one)}
            </option>
          ))}
        </select>
        <label>
          <input
            type="checkbox"
            checked={isMutedShown}
            onChange={(event) => setQuery({ muted: event.currentTarget.checked ? "true" : null }, { push: true })}
          />{" "}
          muted ones too{answer.data && answer.data.muted > 0 ? ` (${answer.data.muted})` : ""}
        </label>
      </search>
      <div aria-live="polite">
        {changed && (
          <p class="notice">
            {changed.isMuted ? "Muted" : "Heard again"}: {changed.title}{" "}
            <button type="button" class="quiet" onClick={() => void mute(changed).catch(answer.refresh)}>
              Undo
            </button>
          </p>
        )}
      </div>
      <Loaded answer={answer}>
        {(data) => (
          <>
            {groups.map(([kind, findings]) => (
              <Section key={kind} title={formatKind(kind)} note={sumUp(findings)}>
                <ul class="plain">
                  {findings.map((finding) => (
                    <li
                      key={finding.id}
                      class={finding.isMuted ? "muted" : undefined}
                      data-row={finding.id}
                      aria-current={finding.id === chosen ? "true" : undefined}
                    >
                      <FindingCard
                        finding={finding}
                        onMute={onMute}
                        isOpen={finding.id === open}
                        onToggle={(isOpen) => {
                          if (isOpen !== (finding.id === open)) setQuery({ open: isOpen ? finding.id : null });
                        }}
                      />
                    </li>
                  ))}
                </ul>
              </Section>
            ))}
            {groups.length === 0 && <Nothing data={data} isFiltered={all.length > 0} />}
          </>
        )}
      </Loaded>
    </Page>
  );
}

function Nothing({ data, isFiltered }: { readonly data: Findings; readonly isFiltered: boolean }) {
  if (isFiltered) {
    return (
      <Empty title="No finding is like that.">
        <button type="button" onClick={() => setQuery({ kind: null, text: null })}>
          Show all
        </button>
      </Empty>
    );
  }
  if (data.muted > 0) return <Empty title={`Nothing but ${formatPlural(data.muted, "muted finding")}.`} />;
  return (
    <NothingYet what="findings">
      <p>
        Apps under Telltale report slow and repeated queries, starved pools, caches that do not help and a blocked event
        loop. Those with other SDKs do not report findings.
      </p>
    </NothingYet>
  );
}

/** In the order of their worst: the answer has the worst first. */
function groupByKind(findings: readonly FindingItem[]): readonly (readonly [string, readonly FindingItem[]])[] {
  return [...Map.groupBy(findings, ({ kind }) => kind)];
}

function sumUp(findings: readonly FindingItem[]): string {
  const lostMs = findings.reduce((total, finding) => total + (finding.lostMs ?? 0), 0);
  return `${findings.length}${lostMs > 0 ? `, ${formatMs(lostMs)} lost` : ""}`;
}

const textOf = ({ title, service, endpoint, queryText, site }: FindingItem): string =>
  [title, service, endpoint, queryText, site].join(" ").toLowerCase();

import { useEffect, useState } from "preact/hooks";
import type { FindingItem, Findings } from "../../src/api/answers.js";
import { apiPath, useApi } from "../api.js";
import { FindingCard } from "../components/finding-card.js";
import { FindingFilter, useFindingFilter } from "../components/finding-filter.js";
import { mute } from "../components/mute-button.js";
import { Empty, Loaded, NothingYet, Page, Section } from "../components/page.js";
import { useRowKeys } from "../components/row-keys.js";
import { formatKind, formatMs, formatPlural } from "../format.js";
import { useKeys } from "../keyboard.js";
import { setQuery, usePlace } from "../router.js";
import { showLine } from "../show-text.js";

/** Of a kind, until all are asked for: a hundred slow queries are not to hide the one pool that is starved. */
const FIRST = 5;

export function FindingsPage() {
  const { query } = usePlace();
  const open = query.get("open");
  const filter = useFindingFilter();
  const answer = useApi<Findings>(
    apiPath(["findings"], { service: query.get("service"), muted: filter.isMutedShown || null }),
    ["findings"],
  );
  const [changed, setChanged] = useState<FindingItem>();
  const [whole, setWhole] = useState<ReadonlySet<string>>(new Set());

  const all = answer.data?.findings ?? [];
  // Kinds are in the order of their worst: the answer has the worst first.
  const groups = [...Map.groupBy(all.filter(filter.matches), ({ kind }) => kind)].map(([kind, findings]) => {
    const isWhole = whole.has(kind) || filter.kind !== "" || findings.slice(FIRST).some(({ id }) => id === open);
    return { kind, findings, shown: isWhole ? findings : findings.slice(0, FIRST) };
  });
  const rows = groups.flatMap(({ shown }) => shown);
  const find = (row: string | undefined) => rows.find((finding) => rowOf(finding) === row);
  const toggle = (id: string | undefined) => setQuery({ open: open === id ? null : id });
  const chosen = useRowKeys("Findings", rows.map(rowOf), (row) => toggle(find(row)?.id));

  const onMute = (finding: FindingItem) => {
    setChanged(finding);
    answer.refresh();
  };
  // Where it cannot be done, the list says why it cannot be read either.
  const turn = (finding: FindingItem | undefined) => finding && void mute(finding).then(onMute, answer.refresh);
  useKeys("Findings", [{ keys: "m", what: "mute, or unmute", run: () => turn(find(chosen)) }]);

  // A link to a finding leads to it, once it is there.
  const [linked] = useState(open);
  const target = rows.find(({ id }) => id === linked);
  const targetRow = target && rowOf(target);
  useEffect(() => {
    if (targetRow !== undefined) document.querySelector(`[data-row="${CSS.escape(targetRow)}"]`)?.scrollIntoView();
  }, [targetRow]);

  return (
    <Page title="Findings">
      <FindingFilter filter={filter} data={answer.data} />
      <div aria-live="polite">
        {changed && (
          <p class="notice">
            {changed.isMuted ? "Muted" : "Heard again"}: {showLine(changed.title)}{" "}
            <button type="button" class="quiet" onClick={() => turn(changed)}>
              Undo
            </button>
          </p>
        )}
      </div>
      <Loaded answer={answer}>
        {(data) => (
          <>
            {groups.map(({ kind, findings, shown }) => (
              <Section key={kind} title={formatKind(showLine(kind, 60))} note={sumUp(findings)}>
                <ul class="plain">
                  {shown.map((finding) => (
                    <li
                      key={rowOf(finding)}
                      class={finding.isMuted ? "muted" : undefined}
                      data-row={rowOf(finding)}
                      aria-current={rowOf(finding) === chosen ? "true" : undefined}
                    >
                      <FindingCard
                        finding={finding}
                        onMute={onMute}
                        isOpen={finding.id === open}
                        onToggle={(isOpen) => isOpen !== (finding.id === open) && toggle(finding.id)}
                      />
                    </li>
                  ))}
                </ul>
                {shown.length < findings.length && (
                  <button type="button" class="more" onClick={() => setWhole(new Set([...whole, kind]))}>
                    Show {findings.length - shown.length} more
                  </button>
                )}
              </Section>
            ))}
            {groups.length === 0 && <Nothing data={data} isFiltered={all.length > 0} />}
          </>
        )}
      </Loaded>
    </Page>
  );
}

/** Two services may have one finding. */
const rowOf = ({ id, service }: FindingItem): string => `${id} ${service}`;

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
    <NothingYet what="findings" isOfAllTime>
      <p>
        Apps under Telltale report slow and repeated queries, starved pools, caches that do not help and a blocked event
        loop. Those with other SDKs do not report findings.
      </p>
    </NothingYet>
  );
}

function sumUp(findings: readonly FindingItem[]): string {
  const lostMs = findings.reduce((total, finding) => total + (finding.lostMs ?? 0), 0);
  return `${findings.length}${lostMs > 0 ? `, ${formatMs(lostMs)} lost` : ""}`;
}

import type { FindingItem } from "../../src/api/answers.js";
import { FindingCard } from "./finding-card.js";
import { Section } from "./page.js";

/** The rest is one click away: what the page is about should stay in sight. */
const SHOWN = 2;

/** What is wrong with the thing that a page shows, the worst first; nothing where all is well. */
export function FindingList({ findings }: { readonly findings: readonly FindingItem[] }) {
  if (findings.length === 0) return null;
  const more = findings.slice(SHOWN);
  return (
    <Section title="Findings">
      {findings.slice(0, SHOWN).map((finding) => (
        <FindingCard key={finding.id} finding={finding} />
      ))}
      {more.length > 0 && (
        <details class="more-findings">
          <summary>{more.length} more</summary>
          {more.map((finding) => (
            <FindingCard key={finding.id} finding={finding} />
          ))}
        </details>
      )}
    </Section>
  );
}

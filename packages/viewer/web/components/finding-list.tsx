import type { FindingItem } from "../../src/api/answers.js";
import { FindingCard } from "./finding-card.js";
import { Section } from "./page.js";

/** What is wrong with the thing that a page shows; nothing where all is well. */
export function FindingList({ findings }: { readonly findings: readonly FindingItem[] }) {
  if (findings.length === 0) return null;
  return (
    <Section title="Findings">
      {findings.map((finding) => (
        <FindingCard key={finding.id} finding={finding} />
      ))}
    </Section>
  );
}

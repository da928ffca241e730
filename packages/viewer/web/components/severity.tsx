import type { FindingItem } from "../../src/api/answers.js";

const SIGNS = { error: "✕", warning: "▲", info: "●" } as const;

/** How bad it is, as a sign and a word. */
export function Severity({ of }: { readonly of: FindingItem["severity"] }) {
  return (
    <span class="severity" data-severity={of}>
      <span aria-hidden="true">{SIGNS[of] ?? "●"}</span> {of}
    </span>
  );
}

import type { ComponentChildren } from "preact";
import { setQuery, usePlace } from "../router.js";
import { showLine } from "../show-text.js";

/** What the chosen row of the table above it is about. */
export function ChosenPart({
  title,
  note,
  children,
}: {
  readonly title: string;
  readonly note: string;
  readonly children: ComponentChildren;
}) {
  return (
    <section class="chosen-part" aria-label={showLine(title)}>
      <h2 class="chosen-title">
        {showLine(title)} <small>{showLine(note)}</small>
      </h2>
      {children}
    </section>
  );
}

/** The row that the address names as `chosen`; the first one without. */
export function useChosenPart<Row>(rows: readonly Row[], rowId: (row: Row) => string): Row | undefined {
  const wanted = usePlace().query.get("chosen");
  return rows.find((row) => rowId(row) === wanted) ?? rows[0];
}

export const choosePart = (id: string): void => setQuery({ chosen: id }, { push: true });

/** Chooses a row: a link, so that it opens in a tab of its own too. */
export function ChooseLink({ id, name, note }: { readonly id: string; readonly name: string; readonly note: string }) {
  const { path, query } = usePlace();
  const to = new URLSearchParams(query);
  to.set("chosen", id);
  return (
    <a
      class="two-lines"
      href={`${path}?${to.toString()}`}
      title={showLine(name)}
      onClick={(event) => {
        if (event.metaKey || event.ctrlKey || event.shiftKey) return;
        // The reader is still at the table: only the part below it changes.
        event.preventDefault();
        choosePart(id);
      }}
    >
      {showLine(name)} <small>{showLine(note, 100)}</small>
    </a>
  );
}

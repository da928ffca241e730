import type { ComponentChildren } from "preact";
import { setQuery, usePlace } from "../router.js";

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
    <section class="chosen-part" aria-label={title}>
      <h2 class="chosen-title">
        {title} <small>{note}</small>
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
      title={name}
      onClick={(event) => {
        if (event.metaKey || event.ctrlKey || event.shiftKey) return;
        // The reader is still at the table: only the part below it changes.
        event.preventDefault();
        choosePart(id);
      }}
    >
      {name} <small>{note}</small>
    </a>
  );
}

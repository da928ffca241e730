import type { ComponentChildren } from "preact";
import { setQuery, usePlace } from "../router.js";

export interface Column<Row> {
  /** In the address, where the table is sorted by it. */
  readonly key: string;
  readonly title: string;
  readonly cell: (row: Row) => ComponentChildren;
  /** The table can be sorted by it: numbers from the largest, texts from A; null comes last. */
  readonly sortBy?: (row: Row) => number | string | null;
  readonly isNumber?: boolean;
}

export interface Order {
  readonly key: string;
  readonly isTurned: boolean;
}

/** Rows in the order that the address asks for (`sort`, `turned`), else by the column `byDefault`. */
export function useSorted<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  byDefault: string,
): { readonly rows: readonly Row[]; readonly order: Order } {
  const { query } = usePlace();
  const wanted = columns.find(({ key, sortBy }) => key === query.get("sort") && sortBy !== undefined);
  const order = { key: wanted?.key ?? byDefault, isTurned: query.get("turned") === "1" };
  const sortBy = columns.find(({ key }) => key === order.key)?.sortBy;
  return { rows: sortBy === undefined ? rows : sortRows(rows, sortBy, order.isTurned), order };
}

function sortRows<Row>(
  rows: readonly Row[],
  sortBy: (row: Row) => number | string | null,
  isTurned: boolean,
): readonly Row[] {
  const turn = isTurned ? -1 : 1;
  return rows
    .map((row) => ({ row, value: sortBy(row) }))
    .sort(({ value: a }, { value: b }) => {
      if (a === null || b === null) return Number(a === null) - Number(b === null);
      if (typeof a === "number" && typeof b === "number") return turn * (b - a);
      return turn * String(a).localeCompare(String(b));
    })
    .map(({ row }) => row);
}

/** A table that becomes a list of cards where there is no room: the first column is the head of each. */
export function DataTable<Row>({
  caption,
  columns,
  rows,
  rowId,
  order,
  chosen,
  current,
  isNarrow = false,
}: {
  /** For those who do not see it. */
  readonly caption: string;
  readonly columns: readonly Column<Row>[];
  readonly rows: readonly Row[];
  readonly rowId: (row: Row) => string;
  readonly order?: Order;
  /** The row that the keys are at. */
  readonly chosen?: string | undefined;
  /** The row that is shown in full elsewhere on the page. */
  readonly current?: string | undefined;
  /** It has room on any screen, and stays a table. */
  readonly isNarrow?: boolean;
}) {
  return (
    <>
      {order !== undefined && <SortChoice columns={columns} order={order} />}
      <table class={isNarrow ? "data-table" : "data-table cards"}>
        <caption class="unseen">{caption}</caption>
        <thead>
          <tr>
            {columns.map((column) => (
              <ColumnHead key={column.key} column={column} order={order} />
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => {
            const id = rowId(row);
            return (
              <tr key={id} data-row={id} aria-selected={id === chosen} aria-current={id === current}>
                {columns.map(({ key, title, cell, isNumber }) => (
                  <td key={key} data-title={title} class={isNumber ? "num" : ""}>
                    {cell(row)}
                  </td>
                ))}
              </tr>
            );
          })}
        </tbody>
      </table>
    </>
  );
}

export function ColumnHead<Row>({
  column,
  order,
}: {
  readonly column: Column<Row>;
  readonly order: Order | undefined;
}) {
  const { key, title, isNumber, sortBy } = column;
  const className = isNumber ? "num" : "";
  if (order === undefined || sortBy === undefined) return <th class={className}>{title}</th>;
  const isSorted = order.key === key;
  const isDown = (isNumber ?? false) !== order.isTurned;
  return (
    <th class={className} aria-sort={isSorted ? (isDown ? "descending" : "ascending") : "none"}>
      <button
        type="button"
        class="sort"
        onClick={() => setQuery({ sort: key, turned: isSorted && !order.isTurned ? 1 : null })}
      >
        {title}
        <span class="sort-sign" aria-hidden="true">
          {isSorted ? (isDown ? "▾" : "▴") : ""}
        </span>
      </button>
    </th>
  );
}

/** Where cards have no heads to click on. */
function SortChoice<Row>({ columns, order }: { readonly columns: readonly Column<Row>[]; readonly order: Order }) {
  return (
    <label class="sort-choice">
      sorted by{" "}
      <select value={order.key} onChange={(event) => setQuery({ sort: event.currentTarget.value, turned: null })}>
        {columns
          .filter(({ sortBy }) => sortBy !== undefined)
          .map(({ key, title }) => (
            <option key={key} value={key}>
              {title}
            </option>
          ))}
      </select>
    </label>
  );
}

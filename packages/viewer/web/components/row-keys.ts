import { useEffect, useState } from "preact/hooks";
import { useKeys } from "../keyboard.js";
import { leaveRow, leftRow } from "../router.js";

/**
 * `j` and `k` go down and up a list, Enter opens. Rows are known by their ids, so that the chosen one stays the same when others come;
 * its element carries `data-row={id}` and is scrolled into view. Who comes back from another page finds the row chosen that led there.
 */
export function useRowKeys(title: string, ids: readonly string[], open: (id: string) => void): string | undefined {
  const [chosen, setChosen] = useState(leftRow);
  const index = chosen === undefined ? -1 : ids.indexOf(chosen);
  const go = (to: number) => setChosen(ids[Math.max(0, Math.min(ids.length - 1, to))]);
  const openChosen = () => {
    if (chosen === undefined || index < 0) return;
    leaveRow(chosen);
    open(chosen);
  };
  useKeys(title, [
    { keys: "j", what: "down", run: () => go(index + 1) },
    { keys: "k", what: "up", run: () => go(index < 0 ? 0 : index - 1) },
    { keys: "Enter", what: "open", run: openChosen },
    { keys: "Escape", what: "choose none", run: () => setChosen(undefined) },
  ]);
  const isThere = index >= 0;
  useEffect(() => {
    if (isThere && chosen !== undefined)
      document.querySelector(`[data-row="${CSS.escape(chosen)}"]`)?.scrollIntoView({ block: "nearest" });
  }, [chosen, isThere]);
  return isThere ? chosen : undefined;
}

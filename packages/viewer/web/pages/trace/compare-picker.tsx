import type { Trace } from "../../../src/api/answers.js";
import { formatMs, formatPlural, formatTime } from "../../format.js";
import { linkTo, navigate } from "../../router.js";

/** Leads to the comparison with another trace of the same route. */
export function ComparePicker({ trace, other = "" }: { readonly trace: Trace; readonly other?: string }) {
  const alike = trace.alike.filter(({ traceId }) => traceId !== trace.traceId);
  if (alike.length === 0) return null;
  return (
    <select
      aria-label="Compare with another trace of this route"
      value={other}
      onChange={(event) => {
        const { value } = event.currentTarget;
        if (value) navigate(linkTo(["trace", trace.traceId, "compare", value]));
      }}
    >
      <option value="">Compare with…</option>
      {other !== "" && !alike.some(({ traceId }) => traceId === other) && <option value={other}>A, as below</option>}
      {alike.map(({ traceId, startMs, durationMs, status, isError, did }) => (
        <option key={traceId} value={traceId}>
          {formatMs(durationMs)} at {formatTime(startMs)}
          {status !== null && `, ${status}`}
          {isError && ", failed"}, {formatPlural(did.queries, "query", "queries")}
        </option>
      ))}
    </select>
  );
}

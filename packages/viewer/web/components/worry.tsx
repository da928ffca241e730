import { formatCount } from "../format.js";

/** A count that should be 0: quiet when it is, marked with a sign when it is not. */
export function Worry({ count, isError = false }: { readonly count: number; readonly isError?: boolean }) {
  if (count === 0) return <span class="dim">0</span>;
  return (
    <span class={isError ? "bad" : "warn"}>
      {isError ? "✕" : "▲"} {formatCount(count)}
    </span>
  );
}

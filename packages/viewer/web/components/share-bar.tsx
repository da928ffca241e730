import { formatShare } from "../format.js";

/** A part of a whole, 0 to 1, as a number and as a length. */
export function ShareBar({ share, isBad = false }: { readonly share: number | null; readonly isBad?: boolean }) {
  const percent = Math.max(0, Math.min(1, share ?? 0)) * 100;
  return (
    <span class="share">
      <span class="share-track" aria-hidden="true">
        {percent > 0 && <span class={isBad ? "share-fill share-bad" : "share-fill"} style={{ width: `${percent}%` }} />}
      </span>
      <span class="share-number">{formatShare(share)}</span>
    </span>
  );
}

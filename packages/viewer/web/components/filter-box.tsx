import { useRef } from "preact/hooks";
import { useKeys } from "../keyboard.js";
import { setQuery, usePlace } from "../router.js";

/** Text to filter by, kept in the address as `text`; `/` goes there. */
export function FilterBox({ what }: { readonly what: string }) {
  const box = useRef<HTMLInputElement>(null);
  useKeys("Filter", [
    {
      keys: "/",
      what: `filter ${what}`,
      run: () => {
        box.current?.focus();
        box.current?.select();
      },
    },
  ]);
  return (
    <input
      ref={box}
      type="search"
      autocomplete="off"
      spellcheck={false}
      value={useFilter()}
      placeholder={`Filter ${what}  /`}
      aria-label={`Filter ${what}`}
      onInput={(event) => setQuery({ text: event.currentTarget.value })}
    />
  );
}

export function useFilter(): string {
  return usePlace().query.get("text") ?? "";
}

/** Every word of the filter is somewhere in the texts, in any case. */
export function matchesFilter(filter: string, texts: readonly (string | null)[]): boolean {
  const all = texts.join("\n").toLowerCase();
  return filter
    .toLowerCase()
    .split(/\s+/)
    .every((word) => all.includes(word));
}

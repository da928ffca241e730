import { setQuery, usePlace } from "../router.js";

const MINUTES = [1, 5, 15, 60, 360];

/** How many minutes back the page looks, kept in the address as `minutes`. */
export function useMinutes(byDefault: number): number {
  const minutes = Number(usePlace().query.get("minutes"));
  return Number.isFinite(minutes) && minutes > 0 ? minutes : byDefault;
}

export function WindowPicker({ byDefault }: { readonly byDefault: number }) {
  const minutes = useMinutes(byDefault);
  const choices = MINUTES.includes(minutes) ? MINUTES : [...MINUTES, minutes].sort((a, b) => a - b);
  return (
    <label>
      last{" "}
      <select
        value={String(minutes)}
        onChange={(event) => {
          const chosen = Number(event.currentTarget.value);
          setQuery({ minutes: chosen === byDefault ? null : chosen }, { push: true });
        }}
      >
        {choices.map((choice) => (
          <option key={choice} value={String(choice)}>
            {choice < 60 ? `${choice} min` : `${choice / 60} h`}
          </option>
        ))}
      </select>
    </label>
  );
}

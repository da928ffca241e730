import { useEffect, useRef, useState } from "preact/hooks";
import type { Findings } from "../../src/api/answers.js";
import { useApi } from "../api.js";
import { formatKind } from "../format.js";
import { setQuery, usePlace } from "../router.js";
import { showLine } from "../show-text.js";

const NAMES = ["route", "status", "slower", "finding", "text"] as const;
const STATUSES = [
  ["error", "errors"],
  ["2xx", "2xx"],
  ["3xx", "3xx"],
  ["4xx", "4xx"],
  ["5xx", "5xx"],
] as const;

export interface RequestFilterState {
  /** As the API takes them, `service` among them. */
  readonly values: Readonly<Record<string, string>>;
  readonly isSet: boolean;
  readonly clear: () => void;
}

/** What the address says of which requests to show. */
export function useRequestFilter(): RequestFilterState {
  const { query } = usePlace();
  const values = Object.fromEntries(
    ["service", ...NAMES].map((name) => [name, query.get(name) ?? ""]).filter(([, value]) => value !== ""),
  ) as Readonly<Record<string, string>>;
  return {
    values,
    isSet: NAMES.some((name) => name in values),
    clear: () => setQuery(Object.fromEntries(NAMES.map((name) => [name, null])), { push: true }),
  };
}

export function RequestFilter({
  filter: { values, isSet, clear },
  routes,
}: {
  readonly filter: RequestFilterState;
  readonly routes: readonly string[];
}) {
  const { data: found } = useApi<Findings>("/api/findings", ["findings"], { everyMs: 10_000 });
  const kinds = new Set(found?.findings.map(({ kind }) => kind));
  if (values["finding"] && values["finding"] !== "any") kinds.add(values["finding"]);
  const status = values["status"] ?? "";
  const isKnownStatus = status === "" || STATUSES.some(([value]) => value === status);
  const known = values["route"] && !routes.includes(values["route"]) ? [values["route"], ...routes] : routes;

  return (
    <search class="filter">
      <Typed
        name="text"
        value={values["text"] ?? ""}
        label="Text"
        placeholder="text in names, queries, attributes ( / )"
        isMain
      />
      <select aria-label="Route" value={values["route"] ?? ""} onChange={(event) => choose("route", event)}>
        <option value="">any route</option>
        {known.map((route) => (
          <option key={route} value={route}>
            {showLine(route, 100)}
          </option>
        ))}
      </select>
      <select aria-label="Status" value={status} onChange={(event) => choose("status", event)}>
        <option value="">any status</option>
        {!isKnownStatus && <option value={status}>{status}</option>}
        {STATUSES.map(([value, label]) => (
          <option key={value} value={value}>
            {label}
          </option>
        ))}
      </select>
      <label>
        slower than <Typed name="slower" value={values["slower"] ?? ""} label="Slower than, in ms" placeholder="0" /> ms
      </label>
      <select aria-label="Finding" value={values["finding"] ?? ""} onChange={(event) => choose("finding", event)}>
        <option value="">with or without finding</option>
        <option value="any">any finding</option>
        {[...kinds].sort().map((kind) => (
          <option key={kind} value={kind}>
            {formatKind(showLine(kind, 60))}
          </option>
        ))}
      </select>
      {isSet && (
        <button type="button" class="quiet" onClick={clear}>
          ✕ Clear
        </button>
      )}
    </search>
  );
}

const choose = (name: string, event: { readonly currentTarget: HTMLSelectElement }): void =>
  setQuery({ [name]: event.currentTarget.value }, { push: true });

/** A field that writes into the address once the typing stops. */
function Typed({
  name,
  value,
  label,
  placeholder,
  isMain = false,
}: {
  readonly name: string;
  readonly value: string;
  readonly label: string;
  readonly placeholder: string;
  readonly isMain?: boolean;
}) {
  const [text, setText] = useState(value);
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  const send = (to: string) => {
    clearTimeout(timer.current);
    const isNumber = name !== "slower" || (Number(to) > 0 && Number.isFinite(Number(to)));
    setQuery({ [name]: isNumber ? to.trim() : null });
  };
  useEffect(() => setText(value), [value]);
  useEffect(() => () => clearTimeout(timer.current), []);
  return (
    <input
      type="text"
      inputMode={isMain ? "search" : "decimal"}
      class={isMain ? "filter-text" : "filter-number"}
      aria-label={label}
      placeholder={placeholder}
      value={text}
      maxLength={200}
      data-filter={isMain ? "" : undefined}
      onInput={(event) => {
        const to = event.currentTarget.value;
        setText(to);
        clearTimeout(timer.current);
        timer.current = setTimeout(() => send(to), 250);
      }}
      onKeyDown={(event) => {
        if (event.key !== "Enter") return;
        send(event.currentTarget.value);
        event.currentTarget.blur();
      }}
    />
  );
}

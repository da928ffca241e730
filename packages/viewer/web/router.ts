import { useEffect, useState } from "preact/hooks";

/** Where the page is: the path, and what is in the query, which holds all filters so that every view has an address of its own. */
export interface Place {
  readonly path: string;
  readonly query: URLSearchParams;
}

const watchers = new Set<() => void>();
let place = readPlace();

function readPlace(): Place {
  return { path: location.pathname, query: new URLSearchParams(location.search) };
}

function arrive(): void {
  place = readPlace();
  for (const watcher of watchers) watcher();
}

addEventListener("popstate", arrive);

// Plain links: whoever writes <a href="/requests"> need not know that there is a router, and a middle click opens a tab.
document.addEventListener("click", (event) => {
  if (
    event.defaultPrevented ||
    event.button !== 0 ||
    event.metaKey ||
    event.ctrlKey ||
    event.shiftKey ||
    event.altKey
  ) {
    return;
  }
  const link = event.target instanceof Element ? event.target.closest("a") : null;
  if (!link || link.target || link.hasAttribute("download") || link.origin !== location.origin) return;
  if (link.pathname.startsWith("/api/") || (link.hash && link.pathname === location.pathname)) return;
  event.preventDefault();
  const row = link.closest<HTMLElement>("[data-row]")?.dataset["row"];
  if (row !== undefined) leaveRow(row);
  navigate(link.pathname + link.search + link.hash);
});

/** Notes in the history which row of the page is left for another page: going back leads to it again. */
export function leaveRow(row: string): void {
  history.replaceState({ row }, "");
}

/** The row that was left for another page; undefined unless somebody came back. */
export function leftRow(): string | undefined {
  const state: unknown = history.state;
  const row = typeof state === "object" && state !== null && "row" in state ? state.row : undefined;
  return typeof row === "string" ? row : undefined;
}

export function navigate(to: string): void {
  if (to === location.pathname + location.search + location.hash) return;
  history.pushState(null, "", to);
  arrive();
  if (!location.hash) scrollTo(0, 0);
}

/** Changes parameters of the query and leaves all others; null, undefined and "" take one out. Adds nothing to the history unless `push`. */
export function setQuery(
  changes: Readonly<Record<string, string | number | null | undefined>>,
  { push = false }: { readonly push?: boolean } = {},
): void {
  const query = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(changes)) {
    if (value === null || value === undefined || value === "") query.delete(name);
    else query.set(name, String(value));
  }
  const search = query.toString();
  const to = location.pathname + (search && `?${search}`);
  if (push) history.pushState(null, "", to);
  else history.replaceState(null, "", to);
  arrive();
}

export function usePlace(): Place {
  const [now, setNow] = useState(place);
  useEffect(() => {
    const watch = () => setNow(place);
    watchers.add(watch);
    watch();
    return () => void watchers.delete(watch);
  }, []);
  return now;
}

/** A link within the viewer: `parts` are encoded, and the service that is being looked at stays chosen. */
export function linkTo(
  parts: readonly string[],
  query: Readonly<Record<string, string | number | null | undefined>> = {},
): string {
  const all = new URLSearchParams();
  const service = place.query.get("service");
  if (service) all.set("service", service);
  for (const [name, value] of Object.entries(query)) {
    if (value !== null && value !== undefined && value !== "") all.set(name, String(value));
  }
  const search = all.toString();
  return `/${parts.map(encodeURIComponent).join("/")}${search && `?${search}`}`;
}

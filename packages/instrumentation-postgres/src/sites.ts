import { type Guard, sitesWanted, siteWanted, type TakenSite, takeSite } from "@telltale/core";
import type { Query } from "./driver.js";
import { poolOf } from "./pool-state.js";

/** Where queries are made that the driver does not note itself. */
export interface Sites {
  of(query: Query): TakenSite | undefined;
  stop(): void;
}

/**
 * The driver notes where a tagged template is written; not so a text (`sql.unsafe`), and where that is awaited, its caller is no longer on the
 * stack. While sites are wanted, the making of a query is heard by what its constructor writes.
 */
export function watchSites(prototype: Query, guard: Guard): Sites {
  const taken = new WeakMap<Query, TakenSite>();
  let isWatching = false;

  function note(query: Query): void {
    const [text] = query.strings;
    const pool = poolOf(query.canceller);
    if (query.tagged || text === undefined || pool === undefined) return;
    const template = pool.target.templateOf(text);
    const site = siteWanted(template) ? takeSite(template, watched.set) : undefined;
    if (site !== undefined) taken.set(query, site);
  }

  const watched = {
    configurable: true,
    get: () => undefined,
    set(this: Query, value: unknown) {
      Object.defineProperty(this, "options", { value, writable: true, enumerable: true, configurable: true });
      try {
        note(this);
      } catch (error) {
        guard.failed(error);
      }
    },
  };

  function watch(isWanted: boolean): void {
    if (isWanted === isWatching) return;
    isWatching = isWanted;
    if (isWanted) Object.defineProperty(prototype, "options", watched);
    else Reflect.deleteProperty(prototype, "options");
  }

  watch(sitesWanted());
  return {
    of(query) {
      const isWanted = sitesWanted();
      watch(isWanted);
      return isWanted ? taken.get(query) : undefined;
    },
    stop: () => watch(false),
  };
}

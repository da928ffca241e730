import { performance } from "node:perf_hooks";
import type { StoreLimits } from "./limits.js";
import type { Store } from "./open-store.js";
import type { Resources } from "./resources.js";
import type { Series } from "./series.js";
import { heldOf, type Table, type Tally } from "./tally.js";

export interface Forgetting {
  /** Forgets the oldest of what is too much, until then (`performance.now()`) and a little more. True when there is nothing left to do. */
  step(untilMs: number): boolean;
  /** Of the database, without pages that are free. */
  bytes(): number;
}

/** A row is deleted in some 10 to 20 µs. */
const ROWS_AT_ONCE = 50;
/** Series and resources are looked through when so many rows are gone. */
const SWEEP_AFTER = 5_000;
/** The file is made smaller when so much of it is free, and is more than a quarter: after the limits were lowered. */
const FREE_PAGES = 4_096;
const FREED_AT_ONCE = 64;

const TABLES = ["span", "log", "point"] as const satisfies readonly Table[];

/** Keeps what is kept within its limits. To be called in a transaction. */
export function createForgetting(
  { db }: Store,
  limits: StoreLimits,
  tally: Tally,
  resources: Resources,
  series: Series,
): Forgetting {
  const remove = {
    span: db.prepare("DELETE FROM span WHERE id < ?"),
    log: db.prepare("DELETE FROM log WHERE id < ?"),
    point: db.prepare("DELETE FROM point WHERE id < ?"),
  };
  const most = { span: limits.spans, log: limits.logs, point: limits.points };
  const pages = db.prepare("SELECT page_count AS held, page_size AS size FROM pragma_page_count, pragma_page_size");
  const freePages = db.prepare("PRAGMA freelist_count");
  let sinceSweep = 0;
  let isSweeping = false;

  function forget(table: Table, rows: number): void {
    const gone = Math.min(rows, heldOf(tally[table]));
    if (gone <= 0) return;
    tally[table].first += gone;
    tally[table].forgotten += gone;
    remove[table].run(tally[table].first);
    sinceSweep += gone;
  }

  function free(): number {
    return Number(freePages.get()?.["freelist_count"] ?? 0);
  }

  function bytes(): number {
    const { held, size } = pages.get() ?? {};
    return (Number(held ?? 0) - free()) * Number(size ?? 0);
  }

  function shrink(): boolean {
    const unused = free();
    if (unused < FREE_PAGES || unused * 4 < Number(pages.get()?.["held"] ?? 0)) return false;
    db.exec(`PRAGMA incremental_vacuum(${FREED_AT_ONCE})`);
    return true;
  }

  /** One short piece of work; false when there is none. */
  function work(): boolean {
    for (const table of TABLES) {
      const over = heldOf(tally[table]) - most[table];
      if (over > 0) {
        forget(table, Math.min(over, ROWS_AT_ONCE));
        return true;
      }
    }
    // As much of each as it has of all: which of them is oldest is for their clocks to say, and those may be wrong.
    const all = TABLES.reduce((sum, table) => sum + heldOf(tally[table]), 0);
    if (all > 0 && bytes() > limits.bytes) {
      for (const table of TABLES) forget(table, Math.ceil((heldOf(tally[table]) / all) * ROWS_AT_ONCE));
      return true;
    }
    if (sinceSweep >= SWEEP_AFTER) {
      sinceSweep = 0;
      isSweeping = true;
    }
    if (!isSweeping) return shrink();
    isSweeping = !series.sweep();
    if (!isSweeping) resources.sweep();
    return true;
  }

  return {
    bytes,
    step(untilMs) {
      do {
        if (!work()) return true;
      } while (performance.now() < untilMs);
      return false;
    },
  };
}

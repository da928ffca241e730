import { hash } from "node:crypto";
import type { KeyValue, MetricMessage, Scope } from "@telltale/otlp";
import { MAX_IDENTITY, MAX_NAME } from "./limits.js";
import type { Store } from "./open-store.js";
import type { Tally } from "./tally.js";
import { attributesJson, type Budget, cutText } from "./write-values.js";

export type SeriesKind = "gauge" | "sum" | "histogram" | "exponential_histogram" | "summary";

export interface SeriesIdentity {
  readonly metric: MetricMessage;
  readonly kind: SeriesKind;
  readonly isMonotonic: boolean;
  readonly isDelta: boolean;
  readonly attributes: readonly KeyValue[] | undefined;
}

export interface Series {
  /** Its row, made where there is none, and used by the next point; undefined when there are too many. */
  idOf(resourceId: number, scope: Scope | undefined, identity: SeriesIdentity): number | undefined;
  /** Takes out those whose points are all gone: of the next few. True when it has been through all of them. */
  sweep(): boolean;
  /** Forgets what it remembers of the table: that was rolled back. */
  reload(): void;
}

const SWEPT_AT_ONCE = 100;

export function createSeries({ db }: Store, max: number, tally: Tally): Series {
  const find = db.prepare(
    "SELECT id FROM series WHERE resource_id = ? AND scope = ? AND name = ? AND kind = ? AND attributes = ?",
  );
  const insert = db.prepare(
    "INSERT INTO series (resource_id, scope, name, kind, attributes, description, unit, is_monotonic, is_delta) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
  );
  // A process that has no name of its own may say otherwise after a restart.
  const update = db.prepare("UPDATE series SET description = ?, unit = ?, is_monotonic = ?, is_delta = ? WHERE id = ?");
  const next = db.prepare("SELECT id FROM series WHERE id > ? ORDER BY id LIMIT ?");
  const remove = db.prepare("DELETE FROM series WHERE id = ?");
  const size = db.prepare("SELECT count(*) AS n FROM series");
  const ids = new Map<string, number>();
  const lastPoints = new Map<number, number>();
  let held = Number(size.get()?.["n"] ?? 0);
  /** Whatever series there are now may be that of the last point. */
  const atStart = tally.point.last;
  let swept = 0;

  function lookUp(resourceId: number, scope: Scope | undefined, identity: SeriesIdentity): number | undefined {
    const { metric, kind, attributes, isMonotonic, isDelta } = identity;
    const budget: Budget = { chars: MAX_IDENTITY, cuts: 0 };
    const name = cutText(metric.name ?? "", MAX_NAME, budget);
    const scopeName = cutText(scope?.name ?? "", MAX_NAME, budget);
    const json = attributesJson(sorted(attributes), budget);
    tally.cuts += budget.cuts;
    const key = hash("sha1", JSON.stringify([resourceId, scopeName, name, kind, json, isMonotonic, isDelta]), "base64");
    const known = ids.get(key);
    if (known !== undefined) return known;
    const about = [
      cutText(metric.description ?? "", MAX_NAME, budget),
      cutText(metric.unit ?? "", MAX_NAME, budget),
      isMonotonic ? 1 : 0,
      isDelta ? 1 : 0,
    ];
    const row = find.get(resourceId, scopeName, name, kind, json);
    let id = Number(row?.["id"] ?? 0);
    if (id > 0) update.run(...about, id);
    else {
      if (held >= max) return undefined;
      id = Number(insert.run(resourceId, scopeName, name, kind, json, ...about).lastInsertRowid);
      held += 1;
    }
    ids.set(key, id);
    return id;
  }

  return {
    idOf(resourceId, scope, identity) {
      const id = lookUp(resourceId, scope, identity);
      if (id !== undefined) lastPoints.set(id, tally.point.last + 1);
      return id;
    },
    sweep() {
      const rows = next.all(swept, SWEPT_AT_ONCE);
      const before = held;
      for (const row of rows) {
        swept = Number(row["id"]);
        if ((lastPoints.get(swept) ?? atStart) >= tally.point.first) continue;
        remove.run(swept);
        lastPoints.delete(swept);
        held -= 1;
      }
      if (held < before) ids.clear();
      if (rows.length === SWEPT_AT_ONCE) return false;
      swept = 0;
      return true;
    },
    reload() {
      ids.clear();
      held = Number(size.get()?.["n"] ?? 0);
    },
  };
}

/** SDKs give the attributes of one series in any order. */
function sorted(attributes: readonly KeyValue[] = []): readonly KeyValue[] {
  return attributes.toSorted(({ key: a = "" }, { key: b = "" }) => (a < b ? -1 : a > b ? 1 : 0));
}

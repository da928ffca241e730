import { hash } from "node:crypto";
import type { KeyValue, Resource } from "@telltale/otlp";
import { MAX_IDENTITY, MAX_NAME } from "./limits.js";
import type { Store } from "./open-store.js";
import { findAttributes, textAt } from "./read-attributes.js";
import type { Table, Tally } from "./tally.js";
import { attributesJson, type Budget, cutText, textOf } from "./write-values.js";

export interface Resources {
  /** Its row, made where there is none, and used by the next row of the table; undefined when there are too many. */
  idOf(resource: Resource | undefined, table: Table): number | undefined;
  /** Takes out those that nothing belongs to any more. */
  sweep(): void;
  /** Forgets what it remembers of the table: that was rolled back. */
  reload(): void;
}

const WANTED = new Set(["service.name", "service.instance.id", "host.name", "process.pid"]);

export function createResources({ db }: Store, max: number, tally: Tally): Resources {
  const find = db.prepare("SELECT id FROM resource WHERE attributes = ?");
  const insert = db.prepare("INSERT INTO resource (service, instance, attributes) VALUES (?, ?, ?)");
  const size = db.prepare("SELECT count(*) AS n FROM resource");
  const all = db.prepare("SELECT id FROM resource");
  const remove = db.prepare("DELETE FROM resource WHERE id = ?");
  const ids = new Map<string, number>();
  const hasOthers = db.prepare(
    "SELECT EXISTS (SELECT 1 FROM series WHERE resource_id = :id) OR EXISTS (SELECT 1 FROM finding WHERE resource_id = :id) AS n",
  );
  /** Their last rows; of those there are now, it may be any. */
  const lastRows = new Map<number, Record<Table, number>>();
  const atStart = { span: tally.span.last, log: tally.log.last, point: tally.point.last };
  /** A request has all its items under few resources. */
  let lastOne: Resource | undefined;
  let lastId: number | undefined;
  let held = Number(size.get()?.["n"] ?? 0);

  function lookUp(resource: Resource | undefined): number | undefined {
    const pairs = resource?.attributes ?? [];
    const budget: Budget = { chars: MAX_IDENTITY, cuts: 0 };
    const json = attributesJson(pairs, budget);
    tally.cuts += budget.cuts;
    const key = hash("sha1", json, "base64");
    const known = ids.get(key);
    if (known !== undefined) return known;
    const row = find.get(json);
    let id = row === undefined ? undefined : Number(row["id"]);
    if (id === undefined) {
      if (held >= max) return undefined;
      const { service, instance } = namesOf(pairs);
      id = Number(insert.run(service, instance, json).lastInsertRowid);
      lastRows.set(id, { span: 0, log: 0, point: 0 });
      held += 1;
    }
    ids.set(key, id);
    return id;
  }

  function reload(): void {
    ids.clear();
    lastOne = undefined;
    lastId = undefined;
    held = Number(size.get()?.["n"] ?? 0);
  }

  function isUsed(id: number): boolean {
    const { span, log } = lastRows.get(id) ?? atStart;
    return span >= tally.span.first || log >= tally.log.first || hasOthers.get({ id })?.["n"] === 1;
  }

  return {
    idOf(resource, table) {
      if (resource === undefined || resource !== lastOne || lastId === undefined) {
        lastId = lookUp(resource);
        lastOne = resource;
      }
      if (lastId === undefined) return undefined;
      const rows = lastRows.get(lastId) ?? { ...atStart };
      rows[table] = tally[table].last + 1;
      lastRows.set(lastId, rows);
      return lastId;
    },
    sweep() {
      for (const row of all.all()) {
        const id = Number(row["id"]);
        if (isUsed(id)) continue;
        remove.run(id);
        lastRows.delete(id);
      }
      reload();
    },
    reload,
  };
}

/** What a process is called: `unknown_service`, as the specification says, where it does not say. */
function namesOf(pairs: readonly KeyValue[]): { service: string; instance: string } {
  const found = findAttributes(pairs, WANTED);
  const budget: Budget = { chars: MAX_NAME, cuts: 0 };
  const host = textAt(found, "host.name");
  const pid = found.get("process.pid");
  const place = [host, pid === undefined ? undefined : textOf(pid, budget)].filter((part) => part !== undefined);
  return {
    service: cutText(textAt(found, "service.name") ?? "unknown_service", MAX_NAME, budget),
    instance: cutText(textAt(found, "service.instance.id") ?? place.join(":"), MAX_NAME, budget),
  };
}

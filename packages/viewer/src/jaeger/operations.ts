import { readRows } from "../api/read-rows.js";
import type { Store } from "../store/open-store.js";
import { kindOf } from "./span-values.js";

export interface Operation {
  readonly name: string;
  /** Empty for those that said none. */
  readonly spanKind: string;
}

const SERVICES = "SELECT DISTINCT service FROM resource ORDER BY service LIMIT 1000";

/** Of the newest spans: the whole table would be read otherwise. */
const OPERATIONS = `
  SELECT DISTINCT name, kind FROM (SELECT name, kind, resource_id FROM span ORDER BY id DESC LIMIT 100000)
  WHERE resource_id IN (SELECT id FROM resource WHERE service = :service)
  ORDER BY name, kind LIMIT 2000`;

export function readServices(store: Store): string[] {
  return readRows<{ service: string }>(store, SERVICES).map(({ service }) => service);
}

/** Names of spans of a service, of all kinds where none is named. */
export function readOperations(store: Store, service: string, spanKind?: string): Operation[] {
  return readRows<{ name: string; kind: number }>(store, OPERATIONS, { service })
    .map(({ name, kind }) => ({ name, spanKind: kindOf(kind) }))
    .filter((operation) => spanKind === undefined || operation.spanKind === spanKind.toLowerCase());
}

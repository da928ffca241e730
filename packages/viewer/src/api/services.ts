import type { Store } from "../store/open-store.js";
import { readRows } from "./read-rows.js";

/** Names of services by their resource's id. */
export function readServices(store: Store): ReadonlyMap<number, string> {
  const rows = readRows<{ id: number; service: string }>(store, "SELECT id, service FROM resource");
  return new Map(rows.map(({ id, service }) => [id, service]));
}

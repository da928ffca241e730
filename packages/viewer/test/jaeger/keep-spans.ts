import { openStore, type Store } from "../../src/store/open-store.js";

export interface KeptSpan {
  readonly traceId?: string;
  readonly spanId: string;
  readonly parentId?: string;
  readonly service?: string;
  /** Beside service.name. */
  readonly resource?: object;
  readonly scope?: string;
  readonly name?: string;
  readonly kind?: number;
  readonly startUs?: number;
  readonly durationNs?: number;
  readonly status?: number;
  readonly statusMessage?: string;
  readonly attributes?: object;
  readonly events?: readonly object[];
  readonly links?: readonly object[];
  readonly traceState?: string;
}

export const TRACE_ID = "83a9efd15c1c98a977e0711cc93ee28b";
export const START_US = 1_706_678_909_209_712;

/** A store with these spans, as the receiver would have written them. */
export async function keepSpans(spans: readonly KeptSpan[]): Promise<Store> {
  const store = await openStore();
  const resources = new Map<string, number>();
  let insert: ReturnType<typeof store.db.prepare> | undefined;
  store.db.exec("BEGIN");
  for (const span of spans) {
    const service = span.service ?? "shop";
    const resource = JSON.stringify({ "service.name": service, ...span.resource });
    let resourceId = resources.get(resource);
    if (resourceId === undefined) {
      const { lastInsertRowid } = store.db
        .prepare("INSERT INTO resource (service, instance, attributes) VALUES (?, '', ?)")
        .run(service, resource);
      resources.set(resource, (resourceId = Number(lastInsertRowid)));
    }
    const { kind = 0, parentId = "" } = span;
    const row = {
      trace_id: span.traceId ?? TRACE_ID,
      span_id: span.spanId,
      parent_id: parentId,
      resource_id: resourceId,
      scope: span.scope ?? "",
      name: span.name ?? "GET /",
      kind,
      start_us: span.startUs ?? START_US,
      duration_ns: span.durationNs ?? 1_000_000,
      status: span.status ?? 0,
      status_message: span.statusMessage ?? "",
      is_entry: kind === 2 || kind === 5 || parentId === "" ? 1 : 0,
      attributes: JSON.stringify(span.attributes ?? {}),
      events: JSON.stringify(span.events ?? []),
      links: JSON.stringify(span.links ?? []),
      trace_state: span.traceState ?? "",
    };
    const names = Object.keys(row);
    insert ??= store.db.prepare(
      `INSERT INTO span (${names.join(", ")}) VALUES (${names.map((name) => `:${name}`).join(", ")})`,
    );
    insert.run(row);
  }
  store.db.exec("COMMIT");
  return store;
}

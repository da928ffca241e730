import type { StatementSync } from "node:sqlite";
import { answerApi } from "../src/api/answer-api.js";
import type { AttributeMap } from "../src/api/answers.js";
import { openStore, type Store } from "../src/store/open-store.js";

/** When tests ask. */
export const NOW_MS = Date.UTC(2027, 0, 1, 12, 0, 58);

type Cell = string | number | null;

const statements = new WeakMap<Store, Map<string, StatementSync>>();

function insert(store: Store, table: string, row: Readonly<Record<string, Cell>>): number {
  const names = Object.keys(row);
  const sql = `INSERT INTO ${table} (${names.join(", ")}) VALUES (${names.map(() => "?").join(", ")})`;
  const ofStore = statements.get(store) ?? new Map<string, StatementSync>();
  const statement = ofStore.get(sql) ?? store.db.prepare(sql);
  statements.set(store, ofStore.set(sql, statement));
  return Number(statement.run(...Object.values(row)).lastInsertRowid);
}

export interface SeedSpan {
  readonly trace?: string;
  readonly id?: string;
  readonly parent?: string;
  /** Of the resource. */
  readonly by?: number;
  readonly name?: string;
  readonly kind?: number;
  readonly startMs: number;
  readonly ms: number;
  readonly status?: number;
  /** Makes it a request. */
  readonly route?: string;
  readonly httpStatus?: number;
  readonly fingerprint?: string;
  readonly system?: string;
  readonly rows?: number;
  readonly isSlow?: boolean;
  readonly hits?: number;
  readonly misses?: number;
  readonly finding?: string;
  readonly attributes?: AttributeMap;
  readonly events?: readonly object[];
}

/** A store with what tests put into it, as the receiver writes it. */
export async function seedStore() {
  const store = await openStore();
  let spans = 0;
  return {
    store,
    addResource: (service: string, instance = ""): number =>
      insert(store, "resource", { service, instance, attributes: JSON.stringify({ service, instance }) }),
    addSpan(span: SeedSpan): void {
      spans += 1;
      insert(store, "span", {
        trace_id: span.trace ?? `trace-${spans}`,
        span_id: span.id ?? `span-${spans}`,
        parent_id: span.parent ?? "",
        resource_id: span.by ?? 1,
        scope: "test",
        name: span.name ?? span.route ?? "work",
        kind: span.kind ?? (span.route === undefined ? 3 : 2),
        start_us: Math.round(span.startMs * 1000),
        duration_ns: Math.round(span.ms * 1e6),
        status: span.status ?? 0,
        status_message: "",
        is_entry: span.route === undefined ? 0 : 1,
        route: span.route ?? null,
        http_status: span.httpStatus ?? null,
        fingerprint: span.fingerprint ?? null,
        db_system: span.system ?? null,
        db_rows: span.rows ?? null,
        is_slow: span.isSlow === true ? 1 : 0,
        cache_hits: span.hits ?? 0,
        cache_misses: span.misses ?? 0,
        finding: span.finding ?? null,
        attributes: JSON.stringify(span.attributes ?? {}),
        events: JSON.stringify(span.events ?? []),
        links: "[]",
        trace_state: "",
      });
    },
    addFinding(by: number, id: string, trace: string, count: number, attributes: AttributeMap): void {
      insert(store, "finding", {
        resource_id: by,
        finding_id: id,
        kind: String(attributes["telltale.finding.kind"]),
        first_us: (NOW_MS - 60_000 - by) * 1000,
        last_us: (NOW_MS - 10_000 + by) * 1000,
        count,
        trace_id: trace,
        title: `found by ${by}`,
        attributes: JSON.stringify(attributes),
      });
    },
    addSeries(by: number, name: string, kind: string, attributes: AttributeMap, facts: object = {}): number {
      const flags = { is_monotonic: 0, is_delta: 0, unit: "", description: "", ...facts };
      return insert(store, "series", {
        resource_id: by,
        scope: "test",
        name,
        kind,
        attributes: JSON.stringify(attributes),
        ...flags,
      });
    },
    addPoint(series: number, ms: number, value: number, facts: Readonly<Record<string, Cell>> = {}): void {
      insert(store, "point", { series_id: series, time_us: ms * 1000, start_us: 0, value, ...facts });
    },
    /** The body of what must be answered with 200. */
    get<Body>(path: string): Body {
      const answer = answerApi(store, "GET", path, undefined, NOW_MS);
      if (answer?.status !== 200) throw new Error(`${path}: ${JSON.stringify(answer)}`);
      return JSON.parse(JSON.stringify(answer.body)) as Body;
    },
  };
}

export type Seed = Awaited<ReturnType<typeof seedStore>>;

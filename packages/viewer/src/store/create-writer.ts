import { performance } from "node:perf_hooks";
import type { DatabaseSync } from "node:sqlite";
import type { LogsRequest, MetricsRequest, TracesRequest } from "@telltale/otlp";
import type { Kept } from "../api/answers.js";
import type { Entry, Refusal } from "./entries.js";
import { createForgetting } from "./forget.js";
import { DEFAULT_LIMITS, type StoreLimits } from "./limits.js";
import type { Store } from "./open-store.js";
import { createResources } from "./resources.js";
import { createSeries } from "./series.js";
import { heldOf, type Rows, type Table, type Tally } from "./tally.js";
import { createLogWriter, eachLog } from "./write-logs.js";
import { createPointWriter, eachPoint } from "./write-points.js";
import { createSpanWriter, eachSpan } from "./write-spans.js";

/** What came of a request. */
export interface Written {
  accepted: number;
  rejected: number;
  /** Why the first that was rejected was. */
  why: string | undefined;
}

/** A request on its way into the store: a piece of it with every call. */
export interface Writing extends Written {
  /** Writes on until then (`performance.now()`), and a little more. True when all is written. Throws what SQLite throws: then this piece is not written. */
  step(untilMs: number): boolean;
}

/** The only one that writes telemetry to its store. */
export interface Writer {
  /** At once; with many thousands of rows that takes a while. */
  writeTraces(request: TracesRequest): Written;
  writeMetrics(request: MetricsRequest): Written;
  writeLogs(request: LogsRequest): Written;
  /** In pieces. */
  traces(request: TracesRequest): Writing;
  metrics(request: MetricsRequest): Writing;
  logs(request: LogsRequest): Writing;
  /** Forgets what is too much, until then. True when there is nothing left to do. */
  tidy(untilMs: number): boolean;
  /** Counts as received and never kept. */
  drop(table: Table, rows: number): void;
  counters(): WriterCounters;
}

export interface WriterCounters {
  readonly spans: Kept;
  readonly logs: Kept;
  readonly points: Kept;
  readonly bytes: number;
  readonly maxBytes: number;
  /** Texts and lists that were longer than is kept, and of which the beginning is. */
  readonly cuts: number;
  readonly findingsForgotten: number;
}

/** How long one piece may take to forget what it is too much, in ms. */
const TIDY_MS = 1;
/** Between looks at the clock. */
const ROWS_AT_ONCE = 16;

export function createWriter(store: Store, limits: Partial<StoreLimits> = {}): Writer {
  const { db } = store;
  const most: StoreLimits = { ...DEFAULT_LIMITS, ...limits };
  const tally: Tally = {
    span: readRows(store, "span"),
    log: readRows(store, "log"),
    point: readRows(store, "point"),
    cuts: 0,
    findingsForgotten: 0,
  };
  const resources = createResources(store, most.resources, tally);
  const series = createSeries(store, most.series, tally);
  const forgetting = createForgetting(store, most, tally, resources, series);
  const writeSpan = createSpanWriter(store, resources, tally);
  const writeLog = createLogWriter(store, resources, tally, most.findings);
  const writePoint = createPointWriter(store, resources, series, tally);

  /** All of it, or nothing: figures in memory as well. */
  function inTransaction<T>(work: () => T): T {
    const before = structuredClone(tally);
    db.exec("BEGIN");
    try {
      const result = work();
      db.exec("COMMIT");
      return result;
    } catch (error) {
      rollBack(db);
      const { span, log, point, ...counts } = before;
      Object.assign(tally.span, span);
      Object.assign(tally.log, log);
      Object.assign(tally.point, point);
      Object.assign(tally, counts);
      resources.reload();
      series.reload();
      throw error;
    }
  }

  function writing<T>(table: Table, entries: Iterator<Entry<T>>, write: (entry: Entry<T>) => Refusal): Writing {
    const rows = tally[table];
    function writeSome(): boolean {
      for (let i = 0; i < ROWS_AT_ONCE; i += 1) {
        const { done, value } = entries.next();
        if (done === true) return true;
        rows.received += 1;
        const refusal = write(value);
        if (refusal === undefined) result.accepted += 1;
        else {
          rows.dropped += 1;
          result.rejected += 1;
          result.why ??= refusal;
        }
      }
      return false;
    }
    const result: Writing = {
      accepted: 0,
      rejected: 0,
      why: undefined,
      step: (untilMs) =>
        inTransaction(() => {
          let isDone: boolean;
          do {
            isDone = writeSome();
            forgetting.step(0);
          } while (!isDone && performance.now() < untilMs);
          forgetting.step(performance.now() + TIDY_MS);
          return isDone;
        }),
    };
    return result;
  }

  const tidy = (untilMs: number) => inTransaction(() => forgetting.step(untilMs));

  function finish(writing: Writing): Written {
    while (!writing.step(Infinity));
    while (!tidy(Infinity));
    const { accepted, rejected, why } = writing;
    return { accepted, rejected, why };
  }

  const traces = (request: TracesRequest) => writing("span", eachSpan(request), writeSpan);
  const metrics = (request: MetricsRequest) => writing("point", eachPoint(request), writePoint);
  const logs = (request: LogsRequest) => writing("log", eachLog(request), writeLog);

  return {
    traces,
    metrics,
    logs,
    writeTraces: (request) => finish(traces(request)),
    writeMetrics: (request) => finish(metrics(request)),
    writeLogs: (request) => finish(logs(request)),
    tidy,
    drop(table, rows) {
      tally[table].received += rows;
      tally[table].dropped += rows;
    },
    counters() {
      return {
        spans: keptOf(tally.span, most.spans),
        logs: keptOf(tally.log, most.logs),
        points: keptOf(tally.point, most.points),
        bytes: forgetting.bytes(),
        maxBytes: most.bytes,
        cuts: tally.cuts,
        findingsForgotten: tally.findingsForgotten,
      };
    },
  };
}

function readRows({ db }: Store, table: Table): Rows {
  const row = db
    .prepare(`SELECT (SELECT min(id) FROM ${table}) AS first, (SELECT max(id) FROM ${table}) AS last`)
    .get();
  const last = Number(row?.["last"] ?? 0);
  return { first: Number(row?.["first"] ?? last + 1), last, received: 0, forgotten: 0, dropped: 0 };
}

function keptOf(rows: Rows, maxHeld: number): Kept {
  const { received, forgotten, dropped } = rows;
  return { received, held: heldOf(rows), maxHeld, forgotten, dropped };
}

function rollBack(db: DatabaseSync): void {
  try {
    db.exec("ROLLBACK");
  } catch {
    // A full disk has done it already; Node 22.15 cannot be asked.
  }
}

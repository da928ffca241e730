import { context, TraceFlags } from "@opentelemetry/api";
import { type ExportResult, ExportResultCode, suppressTracing } from "@opentelemetry/core";
import type { ReadableSpan, SpanExporter, SpanProcessor } from "@opentelemetry/sdk-trace";
import { count, startTimer, stopTimer } from "@telltale/core";
import { readNumber } from "../environment-number.js";

/** Bounds of the queue; the names and defaults of `OTEL_BSP_*`. */
export interface SpanQueueLimits {
  /** Spans kept while the collector is slow or away. Default 2,048; older ones make room and are counted as dropped. */
  readonly maxQueueSize: number;
  /** Spans per export. Default 512. */
  readonly maxExportBatchSize: number;
  /** Longest time a span waits, in ms. Default 5,000. */
  readonly scheduledDelayMs: number;
  /** Time for one export, in ms. Default 30,000. */
  readonly exportTimeoutMs: number;
}

export function readSpanQueueLimits(): SpanQueueLimits {
  const maxQueueSize = positive("OTEL_BSP_MAX_QUEUE_SIZE") ?? 2048;
  return {
    maxQueueSize,
    maxExportBatchSize: Math.min(positive("OTEL_BSP_MAX_EXPORT_BATCH_SIZE") ?? 512, maxQueueSize),
    scheduledDelayMs: positive("OTEL_BSP_SCHEDULE_DELAY") ?? 5000,
    exportTimeoutMs: positive("OTEL_BSP_EXPORT_TIMEOUT") ?? 30_000,
  };
}

/** The same for spans that are encoded as OTLP; what is not set is left to the engine's larger defaults. */
export function readSpanExportLimits(): {
  maxQueueSize?: number;
  maxExportBatchSize?: number;
  scheduledDelayMs?: number;
} {
  return Object.fromEntries(
    [
      ["maxQueueSize", "OTEL_BSP_MAX_QUEUE_SIZE"] as const,
      ["maxExportBatchSize", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE"] as const,
      ["scheduledDelayMs", "OTEL_BSP_SCHEDULE_DELAY"] as const,
    ].flatMap(([limit, variable]) => {
      const value = positive(variable);
      return value === undefined ? [] : [[limit, value]];
    }),
  );
}

/** A timer that is told to wait longer does not wait at all. */
const LONGEST_MS = 2 ** 31 - 1;

function positive(variable: string): number | undefined {
  const value = readNumber(variable);
  return value === undefined ? undefined : Math.min(value, LONGEST_MS);
}

/** What became of an export; ours also tell how much the collector refused of what it took. */
export interface Delivered extends ExportResult {
  readonly rejected?: number;
}

/** A span processor with a bounded queue that loses the oldest first, counts what it loses, and holds no process open. */
export interface SpanQueue extends SpanProcessor {
  /** Spans that wait or are on their way. */
  size(): number;
  /** Those that wait. */
  waiting(): number;
  /** Whether the last export succeeded; undefined before the first one has ended. */
  delivering(): boolean | undefined;
}

export function createSpanQueue(exporter: SpanExporter, limits: SpanQueueLimits): SpanQueue {
  // A ring would be cheaper while the queue is full, which nobody's usual day is.
  let queue: ReadableSpan[] = [];
  let exporting: Promise<void> | undefined;
  let inFlight = 0;
  let timer: NodeJS.Timeout | undefined;
  let delivering: boolean | undefined;
  let closing: Promise<void> | undefined;

  function schedule(): void {
    if (closing !== undefined || timer !== undefined || queue.length === 0) return;
    const delay = queue.length >= limits.maxExportBatchSize && delivering !== false ? 0 : limits.scheduledDelayMs;
    timer = startTimer(() => {
      timer = undefined;
      void exportBatch().then(schedule);
    }, delay).unref();
  }

  function exportBatch(): Promise<void> {
    exporting ??= exportNext().finally(() => {
      exporting = undefined;
    });
    return exporting;
  }

  async function exportNext(): Promise<void> {
    const batch = queue.slice(0, limits.maxExportBatchSize);
    if (batch.length === 0) return;
    queue = queue.slice(batch.length);
    inFlight = batch.length;
    const refused = await prepare(batch).then(deliver, () => undefined);
    inFlight = 0;
    delivering = refused !== undefined;
    count("telltale.spans", "telltale.outcome", delivering ? "exported" : "dropped", batch.length - (refused ?? 0));
    if (refused) count("telltale.spans", "telltale.outcome", "rejected", refused);
  }

  /** Spans of a provider share its resource. */
  async function prepare(batch: ReadableSpan[]): Promise<ReadableSpan[]> {
    for (const resource of new Set(batch.map((span) => span.resource))) await resource.waitForAsyncAttributes?.();
    return batch;
  }

  /** How many of the batch were refused; undefined where it was not delivered. */
  function deliver(batch: ReadableSpan[]): Promise<number | undefined> {
    return new Promise((resolve) => {
      const late = startTimer(() => resolve(undefined), limits.exportTimeoutMs).unref();
      const done = (result: Delivered | undefined): void => {
        stopTimer(late);
        const ok = result?.code === ExportResultCode.SUCCESS;
        resolve(ok ? Math.min(result.rejected ?? 0, batch.length) : undefined);
      };
      try {
        context.with(suppressTracing(context.active()), () => exporter.export(batch, done));
      } catch {
        done(undefined);
      }
    });
  }

  async function forceFlush(): Promise<void> {
    if (exporting !== undefined) await exporting;
    // What ends during the flush is for the next one, or a busy service would never finish.
    for (let left = queue.length; left > 0 && queue.length > 0; left -= limits.maxExportBatchSize) {
      await exportBatch();
      // Where the collector does not take one batch, the others wait for better times.
      if (delivering === false) break;
    }
    await exporter.forceFlush?.();
  }

  return {
    size: () => queue.length + inFlight,
    waiting: () => queue.length,
    delivering: () => delivering,
    onStart() {},
    onEnd(span) {
      if ((span.spanContext().traceFlags & TraceFlags.SAMPLED) === 0) return;
      if (closing !== undefined) {
        count("telltale.spans", "telltale.outcome", "dropped");
        return;
      }
      queue.push(span);
      if (queue.length > limits.maxQueueSize) {
        const excess = queue.length - limits.maxQueueSize;
        queue.splice(0, excess);
        count("telltale.spans", "telltale.outcome", "dropped", excess);
      }
      if (queue.length === limits.maxExportBatchSize && timer !== undefined && delivering !== false) {
        stopTimer(timer);
        timer = undefined;
      }
      schedule();
    },
    forceFlush,
    shutdown() {
      stopTimer(timer);
      return (closing ??= forceFlush().then(() => {
        count("telltale.spans", "telltale.outcome", "dropped", queue.length);
        queue = [];
        return exporter.shutdown();
      }));
    },
  };
}

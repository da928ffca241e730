import type { Resource } from "@opentelemetry/resources";
import { counterOf, type Operation, startTimer } from "@telltale/core";
import { noteFailure } from "./failures.js";
import { ByteWriter } from "./otlp/byte-writer.js";
import { encodeRequest, type ScopeSpans } from "./otlp/encode-request.js";
import { SpanEncoder } from "./otlp/encode-span.js";
import { SpareBuffers } from "./otlp/spare-buffers.js";
import type { Scope } from "./pipeline.js";
import type { EngineSpan } from "./span.js";

/** What became of a request to the collector. */
export interface SpanDelivery {
  readonly ok: boolean;
  /** Spans that the collector took the request for but refused (partial success). */
  readonly rejected?: number;
}

/** Where encoded spans go, and how many may wait for it. */
export interface SpanExportOptions {
  /**
   * Delivers one `ExportTraceServiceRequest` in a bounded time: nothing else is delivered meanwhile. What it throws is a failure. The bytes
   * are its own until it has settled; then they are written over.
   */
  deliver(request: Uint8Array): Promise<SpanDelivery>;
  /** Spans kept while the collector is slow or away. Default 8,192; the oldest batches make room and are counted as dropped. */
  readonly maxQueueSize?: number;
  /** Bytes kept of them. Default 16 MB. */
  readonly maxQueueBytes?: number;
  /** Spans per request. Default 2,048. */
  readonly maxExportBatchSize?: number;
  /** Bytes of them per request. Default 512 KB; a larger span goes alone. */
  readonly maxBatchBytes?: number;
  /** Longest time a span waits, in ms. Default 5,000. */
  readonly scheduledDelayMs?: number;
}

/** A full batch goes out soon, the rest later. */
type Delay = "soon" | "later";

/** Spans of operations that are encoded together: one by one, each would find other code than the encoder's in the processor's caches. */
const TOGETHER = 32;

/** Encoded spans that go out together. */
interface Batch {
  readonly parts: readonly ScopeSpans[];
  readonly spans: number;
  readonly bytes: number;
}

const exported = counterOf("telltale.spans", "telltale.outcome", "exported");
const dropped = counterOf("telltale.spans", "telltale.outcome", "dropped");
const rejected = counterOf("telltale.spans", "telltale.outcome", "rejected");

/**
 * Encodes spans, 32 at a time or with the next delivery, and sends them in batches, away from the app's work. Nothing here waits, grows without a bound or holds the
 * process open; what is lost is counted.
 */
export class SpanExport {
  private readonly options: Required<Omit<SpanExportOptions, "scheduledDelayMs">>;
  private resource: Resource | undefined;
  private readonly encoders = new Map<Scope, SpanEncoder>();
  private readonly spare = new SpareBuffers();
  private readonly request = new ByteWriter();
  /** Spans that have ended and are not encoded yet: fewer than `together`. */
  private readonly ended: EngineSpan[] = [];
  private readonly together: number;
  private isEncoding = false;
  private openSpans = 0;
  private openBytes = 0;
  private sealed: Batch[] = [];
  private sealedSpans = 0;
  private sealedBytes = 0;
  private inFlight = 0;
  private exporting: Promise<void> | undefined;
  /** Made at once and started again and again: a timer that is made when the stack is nearly full may hold the process open for ever. */
  private readonly timers: Readonly<Record<Delay, NodeJS.Timeout>>;
  /** Called when the first span is there. */
  onFirst: (() => void) | undefined = undefined;
  /** Which of the timers is waited for. */
  private waitingFor: Delay | undefined;
  private lastDelivery: boolean | undefined;
  private closed = false;
  private closing: Promise<void> | undefined;

  constructor({
    deliver,
    maxQueueSize = 8_192,
    maxQueueBytes = 16 * 1024 * 1024,
    maxExportBatchSize = 2_048,
    maxBatchBytes = 512 * 1024,
    scheduledDelayMs = 5_000,
  }: SpanExportOptions) {
    this.options = {
      deliver,
      maxQueueSize,
      maxQueueBytes,
      maxExportBatchSize: Math.min(maxExportBatchSize, maxQueueSize),
      maxBatchBytes: Math.min(maxBatchBytes, maxQueueBytes),
    };
    this.together = Math.min(TOGETHER, this.options.maxExportBatchSize);
    this.timers = {
      soon: startTimer(() => this.wake("soon"), 0).unref(),
      later: startTimer(() => this.wake("later"), scheduledDelayMs).unref(),
    };
  }

  /** Spans that wait or are on their way. */
  get size(): number {
    return this.waiting + this.inFlight;
  }

  /** Those that wait. */
  get waiting(): number {
    return this.ended.length + this.openSpans + this.sealedSpans;
  }

  /** Whether the last request was taken; undefined before the first one has ended. */
  get delivering(): boolean | undefined {
    return this.lastDelivery;
  }

  /** Takes a span that has ended. */
  add(span: EngineSpan): void {
    if (this.closed) {
      dropped.total++;
      return;
    }
    const { operation } = span;
    if (operation !== undefined && isPlain(span)) {
      this.keep(span, operation);
    } else {
      this.encodeEnded();
      this.encode(span);
    }
    if (this.waitingFor === undefined || (this.waitingFor === "later" && this.sealed.length > 0)) this.schedule();
  }

  private keep(span: EngineSpan, operation: Operation): void {
    if (operation.kind === "database") {
      // The values of a query may be of any size, and nobody asks for them any more.
      operation.text = undefined;
      operation.parameters = undefined;
    }
    this.ended.push(span);
    if (this.ended.length >= this.together || this.waiting > this.options.maxQueueSize) this.encodeEnded();
  }

  private encodeEnded(): void {
    for (const span of this.ended.splice(0)) this.encode(span);
  }

  private encode(span: EngineSpan): void {
    // A trace state of the app's may end other spans while it is written: they cannot stand in the middle of this one.
    if (this.isEncoding) {
      this.ended.push(span);
      return;
    }
    this.resource ??= span.resource;
    let encoder = this.encoders.get(span.scope);
    if (encoder === undefined) this.encoders.set(span.scope, (encoder = new SpanEncoder()));
    const { writer } = encoder;
    const before = writer.length;
    this.isEncoding = true;
    try {
      encoder.encode(span);
    } catch (error) {
      // An object of the app's that throws when it is read: half a span would spoil the batch.
      // By a property, as there may be no stack left for a call.
      writer.length = before;
      dropped.total++;
      noteFailure("span export", error);
      return;
    } finally {
      this.isEncoding = false;
    }
    const bytes = writer.length - before;
    if (this.openSpans > 0 && this.openBytes + bytes > this.options.maxBatchBytes) {
      writer.length = before;
      this.seal();
      this.encode(span);
      return;
    }
    this.openSpans++;
    this.openBytes += bytes;
    if (this.openSpans >= this.options.maxExportBatchSize || this.openBytes >= this.options.maxBatchBytes) {
      this.seal();
    }
    if (this.openSpans + this.sealedSpans > this.options.maxQueueSize) this.makeRoom();
    else if (this.sealedBytes + this.openBytes > this.options.maxQueueBytes) this.makeRoom();
  }

  /** Delivers what has ended so far. Where the collector does not take one batch, the others wait for better times. */
  async forceFlush(): Promise<void> {
    this.encodeEnded();
    this.seal();
    // What ends during the flush is for the next one, or a busy service would never finish.
    for (const batch of this.sealed.slice()) {
      while (this.sealed.includes(batch)) {
        await this.exportNext();
        if (this.lastDelivery === false) return;
      }
    }
    await this.exporting;
  }

  /** Delivers what has ended so far; what ends from now on is dropped, and so is what cannot be delivered. */
  shutdown(): Promise<void> {
    if (this.closing === undefined) {
      this.closed = true;
      this.waitingFor = undefined;
      this.closing = this.forceFlush().then(() => {
        // Whatever was being encoded when it was called.
        this.encodeEnded();
        this.seal();
        while (this.sealed.length > 0) this.dropOldest();
      });
    }
    return this.closing;
  }

  private seal(): void {
    // While a trace state of the app's is read, half a span stands at the end.
    if (this.openSpans === 0 || this.isEncoding) return;
    const parts: ScopeSpans[] = [];
    for (const [scope, { writer }] of this.encoders) {
      if (writer.length > 0) parts.push({ scope, spans: writer.handOver(this.spare) });
      // Scopes come and go, and each holds a buffer.
      else this.encoders.delete(scope);
    }
    this.sealed.push({ parts, spans: this.openSpans, bytes: this.openBytes });
    this.sealedSpans += this.openSpans;
    this.sealedBytes += this.openBytes;
    this.openSpans = 0;
    this.openBytes = 0;
  }

  private makeRoom(): void {
    const { maxQueueSize, maxQueueBytes } = this.options;
    while (this.openSpans + this.sealedSpans > maxQueueSize || this.openBytes + this.sealedBytes > maxQueueBytes) {
      if (!this.dropOldest()) return;
    }
  }

  private dropOldest(): boolean {
    const oldest = this.takeOldest();
    if (oldest === undefined) return false;
    dropped.total += oldest.spans;
    this.reuse(oldest);
    return true;
  }

  private takeOldest(): Batch | undefined {
    const oldest = this.sealed.shift();
    if (oldest === undefined) return undefined;
    this.sealedSpans -= oldest.spans;
    this.sealedBytes -= oldest.bytes;
    return oldest;
  }

  private reuse({ parts }: Batch): void {
    for (const { spans } of parts) this.spare.give(spans);
  }

  /** A full batch goes out at once, unless the collector is away; the rest waits for the delay. */
  private schedule(): void {
    if (this.closed || this.exporting !== undefined || this.waiting === 0) return;
    const delay = this.sealed.length > 0 && this.lastDelivery !== false ? "soon" : "later";
    if (this.waitingFor === delay || this.waitingFor === "soon") return;
    this.waitingFor = delay;
    this.timers[delay].refresh();
    const { onFirst } = this;
    this.onFirst = undefined;
    onFirst?.();
  }

  private wake(delay: Delay): void {
    if (this.waitingFor !== delay) return;
    this.waitingFor = undefined;
    this.encodeEnded();
    if (this.sealed.length === 0) this.seal();
    void this.exportNext();
  }

  private exportNext(): Promise<void> {
    this.exporting ??= this.exportOldest().finally(() => {
      this.exporting = undefined;
      this.schedule();
    });
    return this.exporting;
  }

  private async exportOldest(): Promise<void> {
    const batch = this.takeOldest();
    if (batch === undefined || this.resource === undefined) return;
    this.inFlight = batch.spans;
    this.lastDelivery = await this.deliver(batch, this.resource);
    this.inFlight = 0;
  }

  /** Whether a batch was taken; its spans are counted. */
  private async deliver(batch: Batch, resource: Resource): Promise<boolean> {
    try {
      await resource.waitForAsyncAttributes?.();
      this.request.clear();
      encodeRequest(this.request, resource, batch.parts);
      this.reuse(batch);
      const { ok, rejected: count = 0 } = await this.options.deliver(this.request.view());
      if (ok) {
        const refused = count > 0 ? Math.min(count, batch.spans) : 0;
        exported.total += batch.spans - refused;
        rejected.total += refused;
        return true;
      }
    } catch (error) {
      noteFailure("span export", error);
    }
    dropped.total += batch.spans;
    return false;
  }
}

/** Whether its call is all that it tells of. What an app has added, or an error says, may be of any size. */
function isPlain({ bounded, extras, statusCode }: EngineSpan): boolean {
  return bounded === undefined && extras === undefined && statusCode === 0;
}

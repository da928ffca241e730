import { performance } from "node:perf_hooks";
import { Line } from "@telltale/core";
import { HeldRequest } from "./held-request.js";

/** Why a trace that was not sampled is exported. */
export type KeepReason = "error" | "slow" | "finding";

export interface TailKeepOptions {
  /** What a request is exported for: it failed, was slow, or something was found. */
  readonly reasons: readonly KeepReason[];
  /** A request that takes so long is slow, in ms. Default 1,000. */
  readonly slowMs?: number;
  /** Requests exported per second, on the average and at once. Default 100. */
  readonly perSecond?: number;
  /** Spans held of one request; those that start later are not recorded. Default 1,000. */
  readonly maxRequestSpans?: number;
  /** Spans held in all. Default 65,536; the oldest request makes room. */
  readonly maxSpans?: number;
  /** Bytes held in all, about. Default 32 MB. */
  readonly maxBytes?: number;
}

/**
 * Holds the spans of requests that are not sampled until it is known whether they are worth it. What is held are the span objects: they
 * are encoded when they are exported, and most never are.
 */
export class TailKeep {
  readonly options: Required<TailKeepOptions>;
  /** Of requests that are not decided on. */
  spans = 0;
  bytes = 0;
  /** Requests that are not decided on, the oldest first. A Set of them would outgrow its tables, which outlive what is in them. */
  private readonly open = new Line<HeldRequest>();
  private allowance: number;
  private allowedAtMs = 0;
  private closed = false;

  constructor({
    reasons,
    slowMs = 1_000,
    perSecond = 100,
    maxRequestSpans = 1_000,
    maxSpans = 65_536,
    maxBytes = 32 * 1024 * 1024,
  }: TailKeepOptions) {
    this.options = { reasons, slowMs, perSecond, maxRequestSpans, maxSpans, maxBytes };
    this.allowance = this.maxAllowance;
  }

  /** A request that begins, or another piece of work; only a request can be slow. */
  begin(startMs: number, isRequest: boolean): HeldRequest | undefined {
    if (this.closed) return undefined;
    const { reasons, slowMs } = this.options;
    const slowAtMs = isRequest && reasons.includes("slow") ? startMs + slowMs : Infinity;
    const request = new HeldRequest(this, slowAtMs);
    this.open.enter(request);
    return request;
  }

  /** Makes way for what was added. */
  makeRoom(): void {
    const { maxSpans, maxBytes } = this.options;
    const { open } = this;
    while (open.first !== undefined && (this.spans > maxSpans || this.bytes > maxBytes)) open.first.giveUp();
  }

  /** Takes a request that is decided on out of the line. */
  remove(request: HeldRequest): void {
    this.open.leave(request);
    this.spans -= request.spans;
    this.bytes -= request.bytes;
  }

  /** Whether one more request may be exported now: when all of them fail, they are not to cost what full sampling costs. */
  allows(): boolean {
    const now = performance.now();
    const { perSecond } = this.options;
    if (perSecond === Infinity) return true;
    const gained = ((now - this.allowedAtMs) / 1_000) * perSecond;
    this.allowance = Math.min(this.maxAllowance, this.allowance + gained);
    this.allowedAtMs = now;
    if (this.allowance < 1) return false;
    this.allowance--;
    return true;
  }

  private get maxAllowance(): number {
    const { perSecond } = this.options;
    return perSecond > 0 ? Math.max(1, perSecond) : 0;
  }

  /** Gives up what is not decided on, unless it is slow by now; what begins from here on is not held. */
  close(): void {
    this.closed = true;
    while (this.open.first !== undefined) this.open.first.giveUp();
  }
}

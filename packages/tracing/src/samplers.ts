import { type Context, trace } from "@opentelemetry/api";
import type { Sampler, SamplingResult } from "@opentelemetry/sdk-trace";
import { type TraceWords, wordsOf } from "./trace-identity.js";

/** The names of `OTEL_TRACES_SAMPLER`. */
export type SamplerName =
  | "always_on"
  | "always_off"
  | "traceidratio"
  | "parentbased_always_on"
  | "parentbased_always_off"
  | "parentbased_traceidratio";

/** A sampler that decides by the trace alone. The engine asks it without making anything; it is the SDK's interface as well. */
export class TraceSampler implements Sampler {
  /** Whether a span with a parent does as the parent did. */
  readonly followsParent: boolean;
  private readonly bound: number;
  private readonly description: string;

  constructor(followsParent: boolean, ratio: number, description: string) {
    this.followsParent = followsParent;
    // The SDK's arithmetic, so that both keep the same traces.
    this.bound = ratio >= 1 ? 2 ** 32 : ratio > 0 ? Math.floor(ratio * 0xffffffff) : 0;
    this.description = description;
  }

  keeps({ a, b, c, d }: TraceWords): boolean {
    return (a ^ b ^ c ^ d) >>> 0 < this.bound;
  }

  shouldSample(context: Context, traceId: string): SamplingResult {
    const parent = trace.getSpanContext(context);
    const kept =
      this.followsParent && parent !== undefined && trace.isSpanContextValid(parent)
        ? (parent.traceFlags & 1) === 1
        : this.keeps(wordsOf(traceId));
    return kept ? KEEP : DROP;
  }

  toString(): string {
    return this.description;
  }
}

// The values of the SDK's `SamplingDecision`, which would load the SDK.
const KEEP: SamplingResult = { decision: 2 };
const DROP: SamplingResult = { decision: 0 };

/** The sampler of an `OTEL_TRACES_SAMPLER` name; `ratio`, from 0 to 1, counts for the ratio samplers only. */
export function createSampler(name: SamplerName, ratio = 1): TraceSampler {
  const followsParent = name.startsWith("parentbased_");
  const root = followsParent ? name.slice("parentbased_".length) : name;
  const share = root === "always_on" ? 1 : root === "always_off" || Number.isNaN(ratio) ? 0 : ratio;
  return new TraceSampler(followsParent, share, root === "traceidratio" ? `${name}{${share}}` : name);
}

import { randomBytes } from "node:crypto";
import { type Context, ROOT_CONTEXT, type SpanContext, trace } from "@opentelemetry/api";
import { emptyResource } from "@opentelemetry/resources";
import { selfCounters } from "@telltale/core";
import { describe, expect, test } from "vitest";
import { createSampler, createTracerProvider } from "../src/index.js";
import { SAMPLER_NAMES, sdkSampler } from "./sdk-samplers.js";

const COUNT = 100_000;
const traceIds = Array.from({ length: COUNT }, () => randomBytes(16).toString("hex"));

/** Each trace with one of: no parent, a local or remote one, sampled or not, flags of later versions, one that is invalid. */
const parents = traceIds.map((traceId, index): SpanContext | undefined => {
  const spanId = "b7ad6b7169203331";
  switch (index % 8) {
    case 0:
      return undefined;
    case 1:
      return { traceId, spanId: "0".repeat(16), traceFlags: 1 };
    default:
      return { traceId, spanId, traceFlags: [0, 1, 2, 3, 255, 254][index % 6] ?? 0, isRemote: index % 3 === 0 };
  }
});

function contextOf(parent: SpanContext | undefined): Context {
  return parent === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, parent);
}

describe.each(SAMPLER_NAMES)("%s", (name) => {
  const ratios = name.endsWith("traceidratio") ? [-1, 0, 1e-10, 0.01, 0.1, 0.5, 0.999999, 1, 2, Number.NaN] : [0.5];

  test.each(ratios)(`decides as the SDK's on ${COUNT} traces, ratio %d`, (ratio) => {
    const sampler = createSampler(name, ratio);
    const sdk = sdkSampler(name, ratio);
    const provider = createTracerProvider({ resource: emptyResource(), sampler });
    const tracer = provider.getTracer("t");
    let different = 0;
    for (const [index, traceId] of traceIds.entries()) {
      const context = contextOf(parents[index]);
      const { decision } = sdk.shouldSample(context, traceId, "s", 0, {}, []);
      if (sampler.shouldSample(context, traceId).decision !== decision) different++;
      // As the engine asks: without a hexadecimal id. A new root gets an id of its own, so only children compare.
      if (index % 8 < 2) continue;
      const span = tracer.startSpan("s", {}, context);
      if (span.spanContext().traceFlags !== (decision === 2 ? 1 : 0)) different++;
    }
    expect(different).toBe(0);
  });
});

/** Spans that were counted as not kept. */
function sampledOut(): number {
  for (const { metric, value, total } of selfCounters())
    if (metric === "telltale.spans" && value === "sampled_out") return total;
  return 0;
}

test("new traces are kept by their ids", () => {
  const sampler = createSampler("parentbased_traceidratio", 0.25);
  const sdk = sdkSampler("parentbased_traceidratio", 0.25);
  const tracer = createTracerProvider({ resource: emptyResource(), sampler }).getTracer("t");
  const before = sampledOut();
  let kept = 0;
  for (let i = 0; i < COUNT; i++) {
    const { traceId, traceFlags } = tracer.startSpan("s", {}, ROOT_CONTEXT).spanContext();
    expect(traceFlags === 1).toBe(sdk.shouldSample(ROOT_CONTEXT, traceId, "s", 0, {}, []).decision === 2);
    kept += traceFlags;
  }
  expect(sampledOut() - before).toBe(COUNT - kept);
  // Six standard deviations of a binomial distribution.
  expect(Math.abs(kept - COUNT / 4)).toBeLessThan(6 * Math.sqrt(COUNT * 0.25 * 0.75));
});

test("a sampler says what it is", () => {
  expect(String(createSampler("parentbased_traceidratio", 0.1))).toBe("parentbased_traceidratio{0.1}");
  expect(String(createSampler("always_off"))).toBe("always_off");
});

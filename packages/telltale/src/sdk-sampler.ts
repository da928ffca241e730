import type * as SdkTrace from "@opentelemetry/sdk-trace";
import type { SamplerName } from "./config/options.js";

/** The SDK's sampler of an `OTEL_TRACES_SAMPLER` name; `ratio` counts for the ratio samplers only. */
export function createSdkSampler(
  { AlwaysOffSampler, AlwaysOnSampler, ParentBasedSampler, TraceIdRatioBasedSampler }: typeof SdkTrace,
  name: SamplerName,
  ratio = 1,
): SdkTrace.Sampler {
  switch (name) {
    case "always_on":
      return new AlwaysOnSampler();
    case "always_off":
      return new AlwaysOffSampler();
    case "traceidratio":
      return new TraceIdRatioBasedSampler(ratio);
    case "parentbased_always_on":
      return new ParentBasedSampler({ root: new AlwaysOnSampler() });
    case "parentbased_always_off":
      return new ParentBasedSampler({ root: new AlwaysOffSampler() });
    case "parentbased_traceidratio":
      return new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(ratio) });
  }
}

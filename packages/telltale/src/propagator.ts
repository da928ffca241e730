import { createRequire } from "node:module";
import type { TextMapPropagator } from "@opentelemetry/api";
import {
  CompositePropagator,
  getStringListFromEnv,
  W3CBaggagePropagator,
  W3CTraceContextPropagator,
} from "@opentelemetry/core";
import { sayOnce } from "@telltale/core";

const require = createRequire(import.meta.url);
const loadB3 = () => require("@opentelemetry/propagator-b3") as typeof import("@opentelemetry/propagator-b3");

/** By the names of `OTEL_PROPAGATORS`. */
const PROPAGATORS: Readonly<Record<string, () => TextMapPropagator>> = {
  tracecontext: () => new W3CTraceContextPropagator(),
  baggage: () => new W3CBaggagePropagator(),
  b3() {
    const { B3Propagator } = loadB3();
    return new B3Propagator();
  },
  b3multi() {
    const { B3Propagator, B3InjectEncoding } = loadB3();
    return new B3Propagator({ injectEncoding: B3InjectEncoding.MULTI_HEADER });
  },
};

/** The propagator that `OTEL_PROPAGATORS` names. Default `tracecontext,baggage`; undefined for `none`. */
export function createPropagator(): TextMapPropagator | undefined {
  const names = new Set(getStringListFromEnv("OTEL_PROPAGATORS") ?? ["tracecontext", "baggage"]);
  if (names.has("none")) return undefined;
  const propagators = [...names].flatMap((name) => {
    const create = PROPAGATORS[name];
    if (create === undefined) {
      const known = Object.keys(PROPAGATORS).join(", ");
      sayOnce("info", `OTEL_PROPAGATORS: unknown propagator "${name}" is left out; known are ${known}, none`);
    }
    return create?.() ?? [];
  });
  return propagators.length === 1 ? propagators[0] : new CompositePropagator({ propagators });
}

import type { Context, TextMapPropagator } from "@opentelemetry/api";
import { createLeftOut } from "./left-out.js";

const failed = createLeftOut("propagator", "the propagator failed");

/** A propagator of the app's that no longer throws: a request goes on without what it would have read or written. */
export function makeHarmlessPropagator(propagator: TextMapPropagator): TextMapPropagator {
  return {
    inject(context, carrier, setter) {
      try {
        propagator.inject(context, carrier, setter);
      } catch (error) {
        failed(error);
      }
    },
    extract(context, carrier, getter) {
      try {
        const found = propagator.extract(context, carrier, getter) as Context | null | undefined;
        if (typeof found?.getValue === "function") return found;
        failed(new TypeError(`a Context expected of extract, got ${typeof found}`));
      } catch (error) {
        failed(error);
      }
      return context;
    },
    fields() {
      try {
        return propagator.fields();
      } catch (error) {
        failed(error);
        return [];
      }
    },
  };
}

import { createNoopMeter, type Meter } from "@opentelemetry/api";
import { count, say } from "@telltale/core";

type Method = (...args: unknown[]) => unknown;
type Methods = Record<string, Method>;

const noop = createNoopMeter() as unknown as Methods;
const SYNCHRONOUS = ["createCounter", "createUpDownCounter", "createHistogram", "createGauge"];
const OBSERVABLE = ["createObservableCounter", "createObservableUpDownCounter", "createObservableGauge"];
const BATCHES = ["addBatchObservableCallback", "removeBatchObservableCallback"];
const made = new WeakSet<object>();
let isSaid = false;

/**
 * The SDK's meter, whose methods and instruments no longer throw. They do at values that they cannot read: a bigint or a cycle among the
 * attributes, null for them, a name that has no text. The app alone, without an SDK, never hears of that.
 */
export function makeHarmless(meter: Meter): Meter {
  if (made.has(meter)) return meter;
  made.add(meter);
  const methods = meter as unknown as Methods;
  for (const name of SYNCHRONOUS) {
    protect(methods, name, (instrument) => {
      for (const record of ["add", "record"])
        if (record in (instrument as object)) protect(instrument as Methods, record);
    });
  }
  for (const name of OBSERVABLE) protect(methods, name);
  for (const name of BATCHES) protect(methods, name);
  return meter;
}

function protect(owner: Methods, name: string, then?: (result: unknown) => void): void {
  const original = owner[name] as Method;
  owner[name] = function harmless(this: unknown, ...args) {
    try {
      const result = Reflect.apply(original, this, args);
      then?.(result);
      return result;
    } catch (error) {
      failed(error);
      return noop[name]?.("");
    }
  };
}

function failed(error: unknown): void {
  count("telltale.instrumentation.errors", "telltale.part", "meter");
  if (isSaid) return;
  isSaid = true;
  const text = error instanceof Error ? error.message : typeof error;
  say("error", `a measurement of the app was left out; the app is not affected: ${text}`);
}

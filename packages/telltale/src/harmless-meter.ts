import { createNoopMeter, type Meter } from "@opentelemetry/api";
import { createLeftOut } from "./left-out.js";

type Method = (...args: unknown[]) => unknown;
type Methods = Record<string, Method>;

const noop = createNoopMeter() as unknown as Methods;
const SYNCHRONOUS = ["createCounter", "createUpDownCounter", "createHistogram", "createGauge"];
const OBSERVABLE = ["createObservableCounter", "createObservableUpDownCounter", "createObservableGauge"];
const BATCHES = ["addBatchObservableCallback", "removeBatchObservableCallback"];
const failed = createLeftOut("meter", "a measurement of the app was left out");

/**
 * The SDK's meter, whose methods and instruments no longer throw. They do at values that they cannot read: a bigint or a cycle among the
 * attributes, null for them, a name that has no text. The app alone, without an SDK, never hears of that. An instrument that is not admitted
 * measures nothing.
 */
export function makeHarmless(meter: Meter, admits: (instrument: unknown) => boolean): Meter {
  const methods = meter as unknown as Methods;
  for (const name of SYNCHRONOUS) {
    protect(limit(methods, name, admits), name, (instrument) => {
      for (const record of ["add", "record"])
        if (record in (instrument as object)) protect(instrument as Methods, record);
    });
  }
  for (const name of OBSERVABLE) {
    protect(limit(methods, name, admits), name, (instrument) => {
      for (const callback of ["addCallback", "removeCallback"]) giveErrors(instrument as Methods, callback);
    });
  }
  for (const name of BATCHES) {
    giveErrors(methods, name);
    protect(methods, name);
  }
  return meter;
}

function limit(owner: Methods, name: string, admits: (instrument: unknown) => boolean): Methods {
  const original = owner[name] as Method;
  owner[name] = function limited(this: unknown, ...args) {
    return admits(args[0]) ? Reflect.apply(original, this, args) : noop[name]?.("");
  };
  return owner;
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

/** What a callback throws is an error from here on: the SDK and readers ask it for its name, which nothing at all does not have. */
function giveErrors(owner: Methods, name: string): void {
  const original = owner[name] as Method;
  owner[name] = function harmless(this: unknown, callback, ...rest) {
    const given = typeof callback === "function" ? throwingErrors(callback as Method) : callback;
    return Reflect.apply(original, this, [given, ...rest]);
  };
}

/** One for each callback, by which it is found again. */
const throwing = new WeakMap<Method, Method>();

function throwingErrors(callback: Method): Method {
  const known = throwing.get(callback);
  if (known !== undefined) return known;
  const made = async (...args: unknown[]): Promise<unknown> => {
    try {
      return await callback(...args);
    } catch (error) {
      throw asError(error);
    }
  };
  throwing.set(callback, made);
  return made;
}

function asError(thrown: unknown): Error {
  try {
    return thrown instanceof Error ? thrown : new Error(String(thrown));
  } catch {
    return new Error(`a ${typeof thrown} without a text`);
  }
}

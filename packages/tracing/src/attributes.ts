import type { Attributes } from "@opentelemetry/api";
import { complain, nameOf, noteFailure } from "./failures.js";

/** https://opentelemetry.io/docs/specs/otel/common/#attribute-limits */
export interface AttributeLimits {
  readonly count: number;
  /** Characters of a string, bytes of a byte array. */
  readonly valueLength: number;
}

export const NO_LIMITS: AttributeLimits = { count: Infinity, valueLength: Infinity };

/** Which values are taken: any value of the specification, or only strings, numbers, booleans and arrays of one of them. */
export type IsValid = (value: unknown) => boolean;

/** Attributes with their count; what the limit refused is counted too. */
export class BoundedAttributes {
  readonly values: Attributes = {};
  private readonly limits: AttributeLimits;
  private readonly isValid: IsValid;
  count = 0;
  dropped = 0;

  constructor(limits: AttributeLimits, isValid: IsValid = isAnyValue) {
    this.limits = limits;
    this.isValid = isValid;
  }

  /** Adds or replaces one; an invalid one is left out with a word to the API's logger, one over the limit is counted. */
  set(key: string, value: unknown): void {
    if (value === undefined) return;
    if (typeof key !== "string" || key === "") {
      complain("warn", `Invalid attribute key: ${nameOf(key)}`);
      return;
    }
    const isNew = !Object.hasOwn(this.values, key);
    if (isNew && this.count >= this.limits.count) {
      this.dropped++;
      return;
    }
    if (typeof value === "string" && value.length <= MAX_SIZE) {
      put(this.values, key, truncate(value, this.limits.valueLength));
    } else if (typeof value === "number" || typeof value === "boolean") {
      put(this.values, key, value);
    } else {
      const copied = this.copyOf(value);
      if (copied === undefined) {
        complain("warn", `Invalid attribute value set for key: ${key}`);
        return;
      }
      put(this.values, key, copied);
    }
    if (isNew) this.count++;
  }

  /** Undefined for what is no value of an attribute. Reading an object may run the app's code, or go deeper than the stack. */
  private copyOf(value: unknown): Attributes[string] {
    try {
      if (this.isValid(value)) return copy(value, this.limits.valueLength) as Attributes[string];
    } catch (error) {
      noteFailure("attributes", error);
    }
    return undefined;
  }

  /** Adds all; what cannot be added when a span is made counts as dropped, as in the SDK. */
  setAll(attributes: unknown, countInvalid: boolean): void {
    if (typeof attributes !== "object" || attributes === null) return;
    for (const [key, value] of entriesOf(attributes)) {
      const before = this.count + this.dropped;
      const known = Object.hasOwn(this.values, key);
      this.set(key, value);
      if (countInvalid && value !== undefined && !known && this.count + this.dropped === before) this.dropped++;
    }
  }
}

/** An app's query may name `constructor` or `__proto__`: these are set on a frozen prototype in vain, or set a prototype. */
function put(values: Attributes, key: string, value: Attributes[string]): void {
  if (key in Object.prototype) {
    Object.defineProperty(values, key, { value, writable: true, enumerable: true, configurable: true });
  } else values[key] = value;
}

function entriesOf(attributes: object): [key: string, value: unknown][] {
  try {
    return Object.entries(attributes);
  } catch (error) {
    noteFailure("attributes", error);
    return [];
  }
}

/**
 * What one value may come to, by about the memory that it takes: an object that is shared is copied wherever it stands, so 30 of them can
 * make billions, and a sparse array is as long as it says. No more than that waits for the collector anyway.
 */
const MAX_SIZE = 16 * 1024 * 1024;
const PART_SIZE = 16;
const OBJECT_SIZE = 128;
const MAX_PARTS = MAX_SIZE / PART_SIZE;
/** Protocol buffers are read to a depth of 100 messages by some, and each level takes three. */
const MAX_DEPTH = 30;

/** Strings, numbers, booleans, null, byte arrays, arrays and plain objects of these, without a cycle, within bounds. */
function isAnyValue(value: unknown): boolean {
  return new AnyValueCheck().passes(value);
}

class AnyValueCheck {
  private left = MAX_SIZE;
  private readonly above: unknown[] = [];

  passes(value: unknown): boolean {
    if (typeof value === "string") return this.takes(value.length);
    if (typeof value === "number" || typeof value === "boolean") return this.takes(0);
    if (typeof value !== "object") return value === undefined && this.above.length > 0 && this.takes(0);
    if (value === null) return this.takes(0);
    if (value instanceof Uint8Array) return this.takes(value.length);
    const { above } = this;
    if (above.length === MAX_DEPTH || above.includes(value) || !this.takes(OBJECT_SIZE)) return false;
    above.push(value);
    const passes = Array.isArray(value) ? this.passesList(value) : this.passesObject(value);
    above.pop();
    return passes;
  }

  private passesList(list: readonly unknown[]): boolean {
    return list.length * PART_SIZE <= this.left && list.every((item) => this.passes(item));
  }

  private passesObject(object: object): boolean {
    const { constructor } = object;
    if (constructor !== Object && constructor !== undefined) return false;
    return Object.entries(object).every(([key, item]) => this.takes(key.length) && this.passes(item));
  }

  private takes(size: number): boolean {
    this.left -= PART_SIZE + size;
    return this.left >= 0;
  }
}

/** What events may carry: a string, number or boolean, or an array of one of these, in which nothing may be missing. */
export function isSimpleValue(value: unknown): boolean {
  if (!Array.isArray(value)) return sizeOf(value) <= MAX_SIZE;
  if (value.length > MAX_PARTS) return false;
  let type: string | undefined;
  let size = 0;
  for (const item of value) {
    if (item === null || item === undefined) continue;
    type ??= typeof item;
    size += sizeOf(item);
    if (typeof item !== type || size > MAX_SIZE) return false;
  }
  return true;
}

/** Infinite for what is no string, number or boolean. */
function sizeOf(value: unknown): number {
  if (typeof value === "string") return value.length;
  return typeof value === "number" || typeof value === "boolean" ? 0 : Infinity;
}

function truncate(text: string, limit: number): string {
  return text.length > limit ? text.slice(0, limit) : text;
}

/** A copy that nobody can change any more, its texts cut to the limit. */
function copy(value: unknown, limit: number): unknown {
  if (typeof value === "string") return truncate(value, limit);
  if (typeof value !== "object" || value === null) return value;
  if (value instanceof Uint8Array) return new Uint8Array(value.length > limit ? value.subarray(0, limit) : value);
  if (Array.isArray(value)) return value.map((item) => copy(item, limit));
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, item]) => item !== undefined)
      .map(([key, item]) => [key, copy(item, limit)]),
  );
}

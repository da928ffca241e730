import { types } from "node:util";
import { codeAt } from "@telltale/core";

/** Values looked at, and characters or bytes of each: enough to tell calls apart, and a bound on the work. */
const MAX_VALUES = 20;
const MAX_LENGTH = 256;
/** Characters at the beginning and at the end of a query's text: the values in it stand last, behind a long list of columns. */
const MAX_TEXT = 1_024;

/** Values looked at in all, as there are lists in lists, and circles. */
const MAX_PARTS = 200;
let parts = 0;

const FIRST = 0x811c9dc5;
const { getTime } = Date.prototype;

/** A 32-bit hash (FNV-1a) of the values bound to a call; equal values have equal hashes. */
export function hashParameters(parameters: unknown): number {
  parts = 0;
  return (parameters === undefined ? FIRST : hashValue(FIRST, parameters)) >>> 0;
}

/** The same without some of the values, by where they stand. */
export function hashOthers(parameters: unknown, except: ReadonlySet<number>): number {
  if (!isList(parameters)) return hashParameters(parameters);
  parts = 0;
  let hash = FIRST;
  for (let n = 0; n < parameters.length && n < MAX_VALUES; n++) {
    if (!except.has(n)) hash = hashValue(hash, parameters[n]);
  }
  return hash >>> 0;
}

/** The hash of a call's parameters with that of its text, which tells calls apart whose values stand in the text. */
export function hashCall(text: string | undefined, parametersHash: number): number {
  if (text === undefined) return parametersHash >>> 0;
  const tail = text.length > MAX_TEXT ? text.slice(-MAX_TEXT) : "";
  return hashText(hashText(parametersHash, text, MAX_TEXT), tail, MAX_TEXT) >>> 0;
}

/** Whether there is an array among the values, and none holds more than one. */
export function bindsOneKey(parameters: unknown): boolean {
  if (!isList(parameters)) return false;
  let hasArray = false;
  for (let n = 0; n < parameters.length && n < MAX_VALUES; n++) {
    const value: unknown = parameters[n];
    if (!isList(value)) continue;
    if (value.length > 1) return false;
    hasArray = true;
  }
  return hasArray;
}

function hashValue(hash: number, value: unknown): number {
  parts++;
  if (typeof value === "string") return hashText(mix(hash, 1), value);
  if (Number.isSafeInteger(value)) return mix(mix(mix(hash, 6), value as number), (value as number) / 2 ** 32);
  if (typeof value === "function") return mix(mix(hash, 5), numberOf(value));
  if (typeof value !== "object" || value === null) return hashText(mix(hash, 5), String(value));
  if (types.isProxy(value)) return mix(mix(hash, 5), numberOf(value));
  if (value instanceof Uint8Array) return hashBytes(mix(hash, 2), value);
  if (Array.isArray(value)) {
    let result = mix(hash, 3);
    for (let n = 0; n < value.length && n < MAX_VALUES && parts < MAX_PARTS; n++) result = hashValue(result, value[n]);
    return mix(result, value.length);
  }
  if (types.isDate(value)) return hashText(mix(hash, 4), String(getTime.call(value)));
  if (Object.getPrototypeOf(value) === Object.prototype) return hashFields(mix(hash, 7), value);
  return mix(mix(hash, 5), numberOf(value));
}

/** A list that can be read without the app's code; even to ask whether it is one may throw for a proxy. */
function isList(value: unknown): value is readonly unknown[] {
  return !types.isProxy(value) && Array.isArray(value);
}

/** What is to be JSON, most often. Getters are the app's code. */
function hashFields(hash: number, value: object): number {
  let result = hash;
  const names = Object.keys(value);
  for (const name of names.slice(0, MAX_VALUES)) {
    if (parts >= MAX_PARTS) break;
    result = hashText(result, name);
    result = hashValue(result, Object.getOwnPropertyDescriptor(value, name)?.value);
  }
  return mix(result, names.length);
}

const numbers = new WeakMap<object, number>();
let lastNumber = 0;

/** What cannot be looked into without the app's code (proxies, dates of a library, functions) is the same only as itself. */
function numberOf(value: object): number {
  const known = numbers.get(value);
  if (known !== undefined) return known;
  numbers.set(value, ++lastNumber);
  return lastNumber;
}

function hashText(hash: number, text: string, most = MAX_LENGTH): number {
  const given = "" + text;
  const length = Math.min(given.length, most);
  let result = mix(hash, given.length);
  for (let n = 0; n < length; n++) result = Math.imul(result ^ codeAt(given, n), 0x01000193);
  return result;
}

function hashBytes(hash: number, bytes: Uint8Array): number {
  const length = Math.min(bytes.length, MAX_LENGTH);
  let result = mix(hash, bytes.length);
  for (let n = 0; n < length; n++) result = Math.imul(result ^ (bytes[n] ?? 0), 0x01000193);
  return result;
}

function mix(hash: number, value: number): number {
  return Math.imul(hash ^ value, 0x01000193);
}

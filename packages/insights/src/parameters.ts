/** Values looked at, and characters or bytes of each: enough to tell calls apart, and a bound on the work. */
const MAX_VALUES = 20;
const MAX_LENGTH = 256;
/** Characters at the beginning and at the end of a query's text: the values in it stand last, behind a long list of columns. */
const MAX_TEXT = 1_024;

const FIRST = 0x811c9dc5;

/** A 32-bit hash (FNV-1a) of the values bound to a call; equal values have equal hashes. */
export function hashParameters(parameters: unknown): number {
  return (parameters === undefined ? FIRST : hashValue(FIRST, parameters)) >>> 0;
}

/** The same without some of the values, by where they stand. */
export function hashOthers(parameters: unknown, except: ReadonlySet<number>): number {
  if (!Array.isArray(parameters)) return hashParameters(parameters);
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
  if (!Array.isArray(parameters)) return false;
  let hasArray = false;
  for (let n = 0; n < parameters.length && n < MAX_VALUES; n++) {
    const value: unknown = parameters[n];
    if (!Array.isArray(value)) continue;
    if (value.length > 1) return false;
    hasArray = true;
  }
  return hasArray;
}

function hashValue(hash: number, value: unknown): number {
  if (typeof value === "string") return hashText(mix(hash, 1), value);
  if (Number.isSafeInteger(value)) return mix(mix(mix(hash, 6), value as number), (value as number) / 2 ** 32);
  if (value instanceof Uint8Array) return hashBytes(mix(hash, 2), value);
  if (Array.isArray(value)) {
    let result = mix(hash, 3);
    for (let n = 0; n < value.length && n < MAX_VALUES; n++) result = hashValue(result, value[n]);
    return mix(result, value.length);
  }
  if (value instanceof Date) return hashText(mix(hash, 4), String(value.getTime()));
  // Anything else that is an object is told apart by its kind only: to look inside may run the app's code.
  return hashText(mix(hash, 5), typeof value === "object" && value !== null ? "object" : String(value));
}

function hashText(hash: number, text: string, most = MAX_LENGTH): number {
  const length = Math.min(text.length, most);
  let result = mix(hash, text.length);
  for (let n = 0; n < length; n++) result = Math.imul(result ^ text.charCodeAt(n), 0x01000193);
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

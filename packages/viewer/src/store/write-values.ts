import type { AnyValue, KeyValue } from "@telltale/otlp";
import { MAX_NAME, MAX_TEXT } from "./limits.js";

/** What one row may still hold, and how often it had to be cut. */
export interface Budget {
  chars: number;
  cuts: number;
}

/** Attributes as a JSON object, written straight away: as an object, a key named `__proto__` would be no key. */
export function attributesJson(pairs: readonly KeyValue[] | undefined, budget: Budget): string {
  if (pairs === undefined || pairs.length === 0) return "{}";
  const parts: string[] = [];
  for (const [index, { key = "", value }] of pairs.entries()) {
    if (budget.chars <= 0) {
      budget.cuts += 1;
      parts.push(`"telltale.cut":"${pairs.length - index} more"`);
      break;
    }
    const name = JSON.stringify(cutText(key, MAX_NAME, budget));
    budget.chars -= name.length + 2;
    parts.push(`${name}:${valueJson(value, budget)}`);
  }
  return `{${parts.join(",")}}`;
}

function valueJson(value: AnyValue | undefined, budget: Budget): string {
  if (value === undefined) return "null";
  const { stringValue, boolValue, intValue, doubleValue, bytesValue, arrayValue, kvlistValue } = value;
  if (kvlistValue !== undefined) return attributesJson(kvlistValue.values, budget);
  if (arrayValue !== undefined) return arrayJson(arrayValue.values ?? [], budget);
  let json = "null";
  if (stringValue !== undefined) json = JSON.stringify(cutText(stringValue, MAX_TEXT, budget));
  else if (boolValue !== undefined) json = String(boolValue);
  else if (intValue !== undefined) json = typeof intValue === "number" ? String(intValue) : `"${intValue}"`;
  else if (doubleValue !== undefined) json = Number.isFinite(doubleValue) ? String(doubleValue) : `"${doubleValue}"`;
  else if (bytesValue !== undefined) json = JSON.stringify(bytesText(bytesValue, budget));
  budget.chars -= json.length;
  return json;
}

function arrayJson(values: readonly AnyValue[], budget: Budget): string {
  const parts: string[] = [];
  for (const [index, value] of values.entries()) {
    if (budget.chars <= 0) {
      budget.cuts += 1;
      parts.push(`"… ${values.length - index} more"`);
      break;
    }
    budget.chars -= 2;
    parts.push(valueJson(value, budget));
  }
  return `[${parts.join(",")}]`;
}

function bytesText(bytes: Uint8Array, budget: Budget): string {
  // 3 bytes are 4 digits.
  const read = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.byteLength, MAX_TEXT));
  return cutText(read.toString("base64"), MAX_TEXT, budget, Math.ceil(bytes.byteLength / 3) * 4);
}

/** The beginning of a long text, which then says how long it was. */
export function cutText(text: string, max: number, budget: Budget, length = text.length): string {
  const room = Math.min(max, Math.max(budget.chars, 100));
  if (text.length <= room) return text;
  budget.cuts += 1;
  return `${text.slice(0, room).replace(/[\ud800-\udbff]$/, "")}… [cut, of ${length} characters]`;
}

/** A body or another value as a text: strings as they are, all else as JSON. */
export function textOf(value: AnyValue | undefined, budget: Budget): string {
  if (value === undefined) return "";
  if (value.stringValue === undefined) return Object.keys(value).length === 0 ? "" : valueJson(value, budget);
  const text = cutText(value.stringValue, MAX_TEXT, budget);
  budget.chars -= text.length;
  return text;
}

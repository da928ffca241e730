import { message, type Message } from "./message.js";

// Field numbers of https://github.com/open-telemetry/opentelemetry-proto 1.x, names of its JSON form.

const AnyValue: Message = message({
  1: ["stringValue", () => "string"],
  2: ["boolValue", () => "bool"],
  3: ["intValue", () => "int64"],
  4: ["doubleValue", () => "double"],
  5: ["arrayValue", () => ArrayValue],
  6: ["kvlistValue", () => KeyValueList],
  7: ["bytesValue", () => "bytes"],
});
const ArrayValue: Message = message({ 1: ["values", () => AnyValue, "many"] });
const KeyValueList: Message = message({ 1: ["values", () => KeyValue, "many"] });
export const KeyValue: Message = message({ 1: ["key", () => "string"], 2: ["value", () => AnyValue] });
export const Resource: Message = message({ 1: ["attributes", () => KeyValue, "many"] });
export const Scope: Message = message({ 1: ["name", () => "string"], 2: ["version", () => "string"] });
export { AnyValue };

/** A value of any type: one of its fields is set, or none. */
export interface AnyValue {
  readonly stringValue?: string;
  readonly boolValue?: boolean;
  readonly intValue?: number | bigint;
  readonly doubleValue?: number;
  readonly arrayValue?: { readonly values?: readonly AnyValue[] };
  readonly kvlistValue?: { readonly values?: readonly KeyValue[] };
  readonly bytesValue?: Uint8Array;
}

export interface KeyValue {
  readonly key?: string;
  readonly value?: AnyValue;
}

export interface Resource {
  readonly attributes?: readonly KeyValue[];
}

export interface Scope {
  readonly name?: string;
  readonly version?: string;
}

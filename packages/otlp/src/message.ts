/**
 * How a field is written, or the message it holds. What is read of it: `id` hexadecimal digits in lower case; `int64` a number where that
 * is exact, else a bigint; `nanos` (fixed64) a bigint; `count` (fixed64 or uint64) a number, however large.
 */
export type FieldType =
  | "string"
  | "bytes"
  | "id"
  | "bool"
  | "uint32"
  | "sint32"
  | "enum"
  | "int64"
  | "fixed32"
  | "nanos"
  | "count"
  | "varcount"
  | "sfixed64"
  | "double"
  | Message;

export interface Field {
  readonly name: string;
  readonly type: () => FieldType;
  readonly isList: boolean;
}

/** Fields by number and by name. */
export interface Message {
  readonly byNumber: readonly (Field | undefined)[];
  readonly byName: ReadonlyMap<string, Field>;
}

/** A message: its fields by number, as in the .proto file. Packed and unpacked lists are both read. */
export function message(
  fields: Readonly<Record<number, readonly [name: string, type: () => FieldType, many?: "many"]>>,
): Message {
  const byNumber: (Field | undefined)[] = [];
  const byName = new Map<string, Field>();
  for (const [number, [name, type, many]] of Object.entries(fields)) {
    const field: Field = { name, type, isList: many !== undefined };
    byNumber[Number(number)] = field;
    byName.set(name, field);
  }
  return { byNumber, byName };
}

/** Input that is no request, or too much of one. The message says where it went wrong. */
export class OtlpError extends Error {
  /** `broken`: not what it says to be; `large`: more than is read. */
  readonly reason: "broken" | "large";

  constructor(reason: "broken" | "large", message: string) {
    super(message);
    this.name = "OtlpError";
    this.reason = reason;
  }
}

/** As protobuf's own libraries: a stack overflow is no way to say no. */
export const MAX_DEPTH = 100;
/**
 * Messages and elements of lists in one request: each may be a byte or two on the wire and is far more in memory. A trace of 50,000 spans
 * with 15 attributes each has 1.6 million.
 */
export const MAX_ITEMS = 4_000_000;

/** What is left of the room for one request. */
export interface Room {
  items: number;
}

export function take(room: Room, items: number): void {
  room.items -= items;
  if (room.items < 0) throw new OtlpError("large", `more than ${MAX_ITEMS} messages and values in one request`);
}

export function enter(depth: number, where: string): void {
  if (depth > MAX_DEPTH) throw new OtlpError("broken", `nested more than ${MAX_DEPTH} deep at ${where}`);
}

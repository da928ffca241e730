/** How a field is written on the wire, or the message it holds. */
export type FieldType =
  | "string"
  | "bytes"
  | "bool"
  | "uint32"
  | "enum"
  | "int64"
  | "fixed32"
  | "fixed64"
  | "sfixed64"
  | "double"
  | Message;

/** A message: fields by number. `many` fields are lists; packed and unpacked are both read. */
export interface Message {
  readonly [field: number]: readonly [name: string, type: () => FieldType, many?: "many"];
}

/** Reads a protobuf message as a plain object; fields that the message does not know are passed over. Throws on broken input. */
export function decode(message: Message, bytes: Uint8Array): Record<string, unknown> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const result: Record<string, unknown> = {};
  let at = 0;

  function varint(): bigint {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[at++];
      if (byte === undefined || shift > 63n) throw new RangeError(`protobuf: broken varint at byte ${at}`);
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asUintN(64, value);
    }
  }
  function chunk(): Uint8Array {
    const length = Number(varint());
    if (at + length > bytes.length)
      throw new RangeError(`protobuf: ${length} bytes announced at ${at}, ${bytes.length - at} left`);
    at += length;
    return bytes.subarray(at - length, at);
  }
  function scalar(type: FieldType): unknown {
    switch (type) {
      case "bool":
        return varint() !== 0n;
      case "uint32":
      case "enum":
        return Number(varint());
      case "int64":
        return BigInt.asIntN(64, varint());
      case "fixed32":
        return view.getUint32((at += 4) - 4, true);
      case "fixed64":
        return view.getBigUint64((at += 8) - 8, true);
      case "sfixed64":
        return view.getBigInt64((at += 8) - 8, true);
      case "double":
        return view.getFloat64((at += 8) - 8, true);
      case "string":
        return new TextDecoder().decode(chunk());
      case "bytes":
        return chunk();
      default:
        return decode(type, chunk());
    }
  }
  function skip(wire: number): void {
    if (wire === 0) varint();
    else if (wire === 1) at += 8;
    else if (wire === 2) chunk();
    else if (wire === 5) at += 4;
    else throw new RangeError(`protobuf: unknown wire type ${wire} at byte ${at}`);
  }

  while (at < bytes.length) {
    const tag = Number(varint());
    const field = message[tag >>> 3];
    if (field === undefined) {
      skip(tag & 7);
      continue;
    }
    const [name, typeOf, many] = field;
    const type = typeOf();
    if (many === undefined) {
      result[name] = scalar(type);
      continue;
    }
    const list = (result[name] ??= []) as unknown[];
    const packed = (tag & 7) === 2 && typeof type === "string" && type !== "string" && type !== "bytes";
    if (!packed) {
      list.push(scalar(type));
      continue;
    }
    const end = Number(varint()) + at;
    while (at < end) list.push(scalar(type));
  }
  return result;
}

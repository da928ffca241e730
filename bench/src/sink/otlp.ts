/** Calls `found` with the bounds of every length-delimited field `wanted` of the message between `from` and `to`. */
function eachMessage(
  bytes: Uint8Array,
  from: number,
  to: number,
  wanted: number,
  found: (from: number, to: number) => void,
): void {
  let at = from;
  const readVarint = (): number => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = bytes[at++] ?? 0;
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  };
  while (at < to) {
    const tag = readVarint();
    const wireType = tag & 7;
    if (wireType === 0) readVarint();
    else if (wireType === 1) at += 8;
    else if (wireType === 5) at += 4;
    else if (wireType === 2) {
      const length = readVarint();
      if (tag >>> 3 === wanted) found(at, at + length);
      at += length;
    } else throw new Error(`protobuf: wire type ${wireType} at byte ${at}`);
  }
}

/** Spans of an OTLP `ExportTraceServiceRequest` in protobuf: resource_spans = 1, scope_spans = 2, spans = 2. */
export function countOtlpSpans(body: Uint8Array): number {
  let spans = 0;
  eachMessage(body, 0, body.length, 1, (from, to) =>
    eachMessage(body, from, to, 2, (from, to) =>
      eachMessage(body, from, to, 2, () => {
        spans++;
      }),
    ),
  );
  return spans;
}

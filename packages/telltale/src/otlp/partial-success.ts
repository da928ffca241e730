/**
 * How many spans a collector has refused of a request that it took: `partial_success.rejected_spans` of an
 * `ExportTraceServiceResponse` (https://opentelemetry.io/docs/specs/otlp/#partial-success-1). 0 for an answer that cannot be read.
 */
export function readRejectedSpans(answer: Uint8Array): number {
  const partial = findField(answer, 1);
  const rejected = partial instanceof Uint8Array ? findField(partial, 1) : undefined;
  return typeof rejected === "number" ? rejected : 0;
}

/** The last value of a field: a number for a varint, bytes for what has a length. */
function findField(message: Uint8Array, wanted: number): number | Uint8Array | undefined {
  let found: number | Uint8Array | undefined;
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let scale = 1; at < message.length; scale *= 128) {
      const byte = message[at++] ?? 0;
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
    return Number.NaN;
  };
  while (at < message.length) {
    const tag = varint();
    const wireType = tag % 8;
    let value: number | Uint8Array | undefined;
    if (wireType === 0) {
      value = varint();
    } else if (wireType === 2) {
      const length = varint();
      value = message.subarray(at, at + length);
      at += length;
    } else if (wireType === 1 || wireType === 5) {
      at += wireType === 1 ? 8 : 4;
    } else {
      return undefined;
    }
    if (Math.floor(tag / 8) === wanted) found = value;
  }
  return at === message.length ? found : undefined;
}

/** What a collector says of a request that it took (https://opentelemetry.io/docs/specs/otlp/#partial-success-1). */
export interface PartialSuccess {
  /** Spans or data points that it refused. */
  readonly rejected: number;
  /** Why, or a warning where it refused none; empty for nothing to say. */
  readonly message: string;
}

const ALL_TAKEN: PartialSuccess = { rejected: 0, message: "" };

/** Reads an `Export…ServiceResponse` of any signal: in all of them field 1 is what was refused, and 2 the message. One that cannot be read says nothing. */
export function readPartialSuccess(answer: Uint8Array): PartialSuccess {
  const partial = findField(answer, 1);
  if (!(partial instanceof Uint8Array)) return ALL_TAKEN;
  const rejected = findField(partial, 1);
  const message = findField(partial, 2);
  return {
    rejected: typeof rejected === "number" ? rejected : 0,
    message: message instanceof Uint8Array ? new TextDecoder().decode(message) : "",
  };
}

/** The same of an answer in JSON, where 64-bit numbers are texts. */
export function readPartialSuccessJson(answer: Uint8Array): PartialSuccess {
  try {
    const { partialSuccess = {} } = JSON.parse(new TextDecoder().decode(answer)) as {
      partialSuccess?: { rejectedSpans?: unknown; rejectedDataPoints?: unknown; errorMessage?: unknown };
    };
    const { rejectedSpans, rejectedDataPoints, errorMessage } = partialSuccess;
    const rejected = Number(rejectedSpans ?? rejectedDataPoints ?? 0);
    return {
      rejected: rejected > 0 ? rejected : 0,
      message: typeof errorMessage === "string" ? errorMessage : "",
    };
  } catch {
    return ALL_TAKEN;
  }
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

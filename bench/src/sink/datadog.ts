/** Spans of a payload for the Datadog agent: MessagePack, a list of traces, each a list of spans; v0.5 puts a list of strings before it. */
export function countDatadogSpans(body: Uint8Array, version: string): number {
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  let at = 0;
  const readLength = (): number => {
    const [children, next] = readHead(view, at);
    at = next;
    return children;
  };
  if (version === "v0.5") {
    readLength();
    at = skip(view, at);
  }
  let spans = 0;
  for (let traces = readLength(); traces > 0; traces--) {
    const inTrace = readLength();
    spans += inTrace;
    for (let i = 0; i < inTrace; i++) at = skip(view, at);
  }
  return spans;
}

/** The position after a value and all that is in it. */
function skip(view: DataView, from: number): number {
  let at = from;
  for (let left = 1; left > 0; left--) {
    const [children, next] = readHead(view, at);
    left += children;
    at = next;
  }
  return at;
}

const FIXED: Readonly<Record<number, number>> = {
  0xca: 4,
  0xcb: 8,
  0xcc: 1,
  0xcd: 2,
  0xce: 4,
  0xcf: 8,
  0xd0: 1,
  0xd1: 2,
  0xd2: 4,
  0xd3: 8,
  0xd4: 2,
  0xd5: 3,
  0xd6: 5,
  0xd7: 9,
  0xd8: 17,
};

/** How many values are in the one at `at`, and where the first of them (or else the next value) is. */
function readHead(view: DataView, at: number): [children: number, next: number] {
  const head = view.getUint8(at);
  const next = at + 1;
  if (head < 0x80 || head >= 0xe0) return [0, next];
  if (head < 0x90) return [(head & 15) * 2, next];
  if (head < 0xa0) return [head & 15, next];
  if (head < 0xc0) return [0, next + (head & 31)];
  if (head < 0xc4) return [0, next];
  const fixed = FIXED[head];
  if (fixed !== undefined) return [0, next + fixed];
  switch (head) {
    case 0xc4:
    case 0xd9:
      return [0, next + 1 + view.getUint8(next)];
    case 0xc5:
    case 0xda:
      return [0, next + 2 + view.getUint16(next)];
    case 0xc6:
    case 0xdb:
      return [0, next + 4 + view.getUint32(next)];
    case 0xc7:
      return [0, next + 2 + view.getUint8(next)];
    case 0xdc:
      return [view.getUint16(next), next + 2];
    case 0xdd:
      return [view.getUint32(next), next + 4];
    case 0xde:
      return [view.getUint16(next) * 2, next + 2];
    case 0xdf:
      return [view.getUint32(next) * 2, next + 4];
    default:
      throw new Error(`MessagePack: byte ${head} at ${at}`);
  }
}

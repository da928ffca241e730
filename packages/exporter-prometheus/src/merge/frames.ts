/** What goes over a connection between two processes: a few names, and many numbers beside them. */
export interface Frame {
  readonly head: unknown;
  readonly words: Float64Array;
}

/** Two 32-bit sizes: bytes of the head, numbers behind it. */
const SIZES = 8;
/** Nobody of ours sends more than a tenth of it. */
const MAX_BYTES = 1 << 20;

export const NO_WORDS = new Float64Array(0);

/** The head as JSON, then the numbers as they lie in memory: both ends are on one machine. */
export function packFrame(head: unknown, words: Float64Array = NO_WORDS): Buffer {
  const text = JSON.stringify(head);
  const textBytes = Buffer.byteLength(text);
  const packed = Buffer.allocUnsafeSlow(SIZES + textBytes + words.byteLength);
  packed.writeUInt32LE(textBytes, 0);
  packed.writeUInt32LE(words.length, 4);
  packed.write(text, SIZES);
  packed.set(new Uint8Array(words.buffer, words.byteOffset, words.byteLength), SIZES + textBytes);
  return packed;
}

/** Puts frames together again from what a socket hands over. */
export class FrameReader {
  private rest: Buffer = Buffer.alloc(0);

  /** The frames that are complete now; throws where the other end does not speak our language. */
  read(chunk: Buffer): Frame[] {
    let all = this.rest.length === 0 ? chunk : Buffer.concat([this.rest, chunk]);
    const frames: Frame[] = [];
    for (;;) {
      const bytes = sizeOf(all);
      if (bytes === undefined || bytes > all.length) break;
      frames.push(unpack(all.subarray(0, bytes)));
      all = all.subarray(bytes);
    }
    this.rest = all;
    return frames;
  }
}

function sizeOf(bytes: Buffer): number | undefined {
  if (bytes.length < SIZES) return undefined;
  const size = SIZES + bytes.readUInt32LE(0) + bytes.readUInt32LE(4) * 8;
  if (size > MAX_BYTES) throw new Error(`a frame of ${size} bytes`);
  return size;
}

function unpack(bytes: Buffer): Frame {
  const wordsAt = SIZES + bytes.readUInt32LE(0);
  const words = new Float64Array(bytes.readUInt32LE(4));
  new Uint8Array(words.buffer).set(bytes.subarray(wordsAt));
  return { head: JSON.parse(bytes.toString("utf8", SIZES, wordsAt)), words };
}

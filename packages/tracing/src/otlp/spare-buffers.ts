/** A smaller buffer is soon made. */
const SMALLEST_KEPT = 16 * 1024;
/** A buffer that one huge span has made is given back. */
export const LARGEST_KEPT = 4 * 1024 * 1024;
/** One is being filled, another may be waiting for its delivery. */
const MOST_SPARE = 2;

/**
 * Buffers to be used again. V8 frees a dead one with the next full collection only: with half a megabyte of new ones per batch a small
 * service carried 60 MB of them around.
 */
export class SpareBuffers {
  private readonly buffers: Buffer[] = [];

  /** A spare buffer, or one of `size` bytes. */
  take(size: number): Buffer {
    return this.buffers.pop() ?? Buffer.allocUnsafeSlow(size);
  }

  /** Takes the buffer behind what a writer has handed over; nobody may read it any more. */
  give({ buffer }: Uint8Array): void {
    const isUseful = buffer.byteLength >= SMALLEST_KEPT && buffer.byteLength <= LARGEST_KEPT;
    if (isUseful && this.buffers.length < MOST_SPARE) this.buffers.push(Buffer.from(buffer));
  }
}

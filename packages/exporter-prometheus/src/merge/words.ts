import type { Exemplar } from "../exemplars.js";
import { EXEMPLAR_WORDS } from "./report.js";

/** Numbers of a report in the making. */
export class WordWriter {
  private words = new Float64Array(1024);
  length = 0;

  /** Makes room for so many more. */
  reserve(more: number): void {
    if (this.length + more <= this.words.length) return;
    const larger = new Float64Array(Math.max(this.words.length * 2, this.length + more));
    larger.set(this.words);
    this.words = larger;
  }

  push(word: number): void {
    this.words[this.length++] = word;
  }

  /** A place for a number that is known later. */
  hole(): number {
    this.words[this.length] = 0;
    return this.length++;
  }

  at(place: number): number {
    return this.words[place] as number;
  }

  fill(place: number, word: number): void {
    this.words[place] = word;
  }

  pushExemplar({ value, timestamp, traceId, spanId }: Exemplar): void {
    this.reserve(EXEMPLAR_WORDS);
    this.push(value);
    this.push(timestamp[0] * 1000 + timestamp[1] / 1e6);
    const bytes = Buffer.from(this.words.buffer, this.length * 8, 24);
    bytes.write(traceId, 0, "hex");
    bytes.write(spanId, 16, "hex");
    this.length += 3;
  }

  take(): Float64Array {
    const taken = this.words.slice(0, this.length);
    this.length = 0;
    return taken;
  }
}

/** Reads the numbers of a report one after the other. */
export class WordReader {
  private readonly words: Float64Array;
  private at = 0;

  constructor(words: Float64Array) {
    this.words = words;
  }

  get isAtEnd(): boolean {
    return this.at >= this.words.length;
  }

  next(): number {
    const word = this.words[this.at++];
    if (word === undefined) throw new Error("a report that ends too early");
    return word;
  }

  nextExemplar(): Exemplar {
    const value = this.next();
    const ms = this.next();
    if (this.at + 3 > this.words.length) throw new Error("a report that ends too early");
    const bytes = Buffer.from(this.words.buffer, this.words.byteOffset + this.at * 8, 24);
    this.at += 3;
    const seconds = Math.floor(ms / 1000);
    return {
      value,
      timestamp: [seconds, Math.round((ms - seconds * 1000) * 1e6)],
      traceId: bytes.toString("hex", 0, 16),
      spanId: bytes.toString("hex", 16, 24),
    };
  }
}

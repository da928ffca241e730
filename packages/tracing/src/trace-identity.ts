import { randomFillSync } from "node:crypto";
import type { TraceState } from "@opentelemetry/api";
import type { IdGenerator } from "@opentelemetry/sdk-trace";
import { noteFailure } from "./failures.js";

// Ids are signed 32-bit integers: V8 keeps those in the object itself, larger numbers in objects of their own.

const POOL_IDS = 2048;
const pool = new Int32Array(POOL_IDS);
let next = POOL_IDS;

/** Four random bytes of the system's generator, taken 8 KB at a time (3 ns each). A forked worker has a pool of its own. */
export function randomWord(): number {
  if (next === POOL_IDS) {
    randomFillSync(pool);
    next = 0;
  }
  return pool[next++] as number;
}

/** A trace id as four 32-bit words. */
export interface TraceWords {
  readonly a: number;
  readonly b: number;
  readonly c: number;
  readonly d: number;
}

/** What all spans of a trace in this process share. */
export class TraceIdentity implements TraceWords {
  readonly a: number;
  readonly b: number;
  readonly c: number;
  readonly d: number;
  readonly state: TraceState | undefined;
  private text: string | undefined;

  constructor(a: number, b: number, c: number, d: number, state: TraceState | undefined, hex?: string) {
    this.a = a;
    this.b = b;
    this.c = c;
    this.d = d;
    this.state = state;
    this.text = hex;
  }

  /** The trace id as the API shows it; made when somebody asks. */
  get hex(): string {
    return (this.text ??= toHex(this.a) + toHex(this.b) + toHex(this.c) + toHex(this.d));
  }

  /** The same trace with another trace state. */
  with(state: TraceState | undefined): TraceIdentity {
    return state === this.state ? this : new TraceIdentity(this.a, this.b, this.c, this.d, state, this.text);
  }
}

/** A trace that begins here. */
export function newTrace(): TraceIdentity {
  const last = randomWord();
  // All zeros would be no id.
  return new TraceIdentity(randomWord(), randomWord(), randomWord(), last === 0 ? 1 : last, undefined);
}

/** A trace that began elsewhere; its id must be valid. */
export function traceOf(traceId: string, state: TraceState | undefined): TraceIdentity {
  const { a, b, c, d } = wordsOf(traceId);
  return new TraceIdentity(a, b, c, d, state, traceId.toLowerCase());
}

export function wordsOf(traceId: string): TraceWords {
  return { a: fromHex(traceId, 0), b: fromHex(traceId, 8), c: fromHex(traceId, 16), d: fromHex(traceId, 24) };
}

/** Eight hexadecimal digits from a position on as a 32-bit integer. */
export function fromHex(hex: string, at: number): number {
  return Number.parseInt(hex.slice(at, at + 8), 16) | 0;
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

export function toHex(word: number): string {
  return `${HEX[word >>> 24]}${HEX[(word >>> 16) & 255]}${HEX[(word >>> 8) & 255]}${HEX[word & 255]}`;
}

/** Ids of a user's generator, checked: what is no id would spoil the whole batch at the collector. */
export function checkedIds(generator: IdGenerator): IdGenerator {
  const check = (generate: () => unknown, pattern: RegExp, what: string, fallback: () => string): string => {
    try {
      const id = generate();
      if (typeof id === "string" && pattern.test(id)) return id.toLowerCase();
      throw new TypeError(`${what} expected, got ${String(id)}; a random id is used`);
    } catch (error) {
      noteFailure("id generator", error);
      return fallback();
    }
  };
  return {
    generateTraceId: () =>
      check(
        () => generator.generateTraceId(),
        /^(?!0{32})[0-9a-f]{32}$/i,
        "32 hexadecimal digits",
        () => newTrace().hex,
      ),
    generateSpanId: () =>
      check(
        () => generator.generateSpanId(),
        /^(?!0{16})[0-9a-f]{16}$/i,
        "16 hexadecimal digits",
        () => {
          return toHex(randomWord() | 1) + toHex(randomWord());
        },
      ),
  };
}

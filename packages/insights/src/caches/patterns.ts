import { performance } from "node:perf_hooks";
import { codeAt, type DatabaseTemplate, limitOf, startsWith } from "@telltale/core";
import type { CacheWindow } from "./window.js";

/** Patterns of keys that are followed, 0.5 MB; what comes beyond counts for its cache as a whole. */
const MAX_PATTERNS = 1_000;
const MAX_NAMED = 200;
/** So many words in one place of keys are words; more are somebody's data. */
const MAX_WORDS = 8;
/** A word is shown when it has stood behind so many of 32 kinds of ids: about 20 different ones. */
const SHOWN_FROM = 15;
const MAX_LENGTH = 256;
const MAX_WORD = 24;
const refused = limitOf("cache.key_patterns");

const COLON = 58;
const FIRST = 0x811c9dc5;
/** Stands for an id in the hash of a pattern. */
const ID = 63;

/** Keys of one kind, and what became of them. The keys themselves are not kept. */
export class KeyPattern {
  readonly cache: string;
  /** `product:?:details`, as it may be shown once enough different keys of it have come. */
  private readonly words: string;
  /** The same with nothing but ids. */
  private readonly ids: string;
  /** The pattern of all keys of this form, where this one has words. */
  readonly form: KeyPattern | undefined;
  /** What counts instead of it, once its words have turned out to be data. */
  into: KeyPattern | undefined = undefined;
  /** Patterns with words that have this form. */
  forms = 0;
  isData = false;
  /** A bit for each kind of key that has come. */
  kinds = 0;

  // Since the beginning of the window.
  hits = 0;
  misses = 0;
  /** Of the misses, those whose keys are known, and of these, those of keys that were missed before. */
  keyed = 0;
  again = 0;
  fills = 0;
  /** Requests that missed. */
  missing = 0;

  sinceMs = performance.now();

  // Since the pattern is known.
  windows = 0;
  /** Of the last window that had enough lookups; NaN before. */
  ratio = Number.NaN;
  isIdle = false;
  reads = 0;
  writes = 0;
  writtenMs = 0;
  toldUnreadMs = 0;
  /** Slow requests, because of many misses, in this window and the last. */
  slowRequests = 0;
  slowRequestsBefore = 0;
  /** Of a call that looked up or wrote. */
  template: DatabaseTemplate | undefined = undefined;
  /** What is to be told with the next miss, which gives it a trace. */
  untold: CacheWindow | undefined = undefined;

  /** Whether its owner tells when values are put there: databases do, and of others one that has. */
  get tellsWrites(): boolean {
    return this.template !== undefined || this.writes > 0;
  }

  constructor(cache: string, words: string, ids: string, form: KeyPattern | undefined) {
    this.cache = cache;
    this.words = words;
    this.ids = ids;
    this.form = form;
  }

  /** Words of keys are shown only where many different keys have them in common: names of people and things are in keys as well. */
  get text(): string {
    return countBits(this.kinds) >= SHOWN_FROM ? this.words : this.ids;
  }
}

function countBits(bits: number): number {
  let count = 0;
  for (let rest = bits; rest !== 0; rest &= rest - 1) count++;
  return count;
}

/**
 * Patterns by the keys that belong to them. The name of the cache stays, as does every later segment (between `:`) that looks like a word
 * and has few others beside it; the segment after the name, and all else, is an id. One pass over the key, and no text is made of it.
 */
export class KeyPatterns {
  private readonly byHash = new Map<number, KeyPattern>();
  private readonly byName = new Map<string, KeyPattern>();
  /** Hash of the key that was asked for last. */
  keyHash = 0;
  private wordsHash = 0;
  private formHash = 0;

  of(cache: string, key: string | undefined): KeyPattern {
    if (key === undefined) {
      this.keyHash = 0;
      return this.named(cache);
    }
    const isPrefix = codeAt("" + key, ("" + cache).length) === COLON && startsWith(key, cache);
    this.scan(key, isPrefix ? ("" + cache).length + 1 : 0);
    if (!isPrefix) return this.named(cache);
    const known = this.byHash.get(this.wordsHash);
    const pattern = known === undefined ? this.add(cache, key) : (known.into ?? known);
    pattern.kinds |= 1 << ((this.keyHash >>> 16) & 31);
    return pattern;
  }

  *all(): Generator<KeyPattern> {
    for (const pattern of this.byHash.values()) if (pattern.into === undefined) yield pattern;
    yield* this.byName.values();
  }

  /** Forgets those that were not used since it was last asked to, where there is no room left for others. */
  makeRoom(): void {
    forgetIdle(this.byHash, this.byHash.size >= MAX_PATTERNS - 1);
    forgetIdle(this.byName, this.byName.size >= MAX_NAMED);
  }

  private scan(given: string, from: number): void {
    const key = "" + given;
    const length = Math.min(key.length, MAX_LENGTH);
    let hash = FIRST;
    for (let n = 0; n < from; n++) hash = Math.imul(hash ^ codeAt(key, n), 0x01000193);
    let words = hash;
    let form = hash;
    let segment = FIRST;
    let startsAt = from;
    let isWord = false;
    for (let n = from; n <= length; n++) {
      const code = n === length ? COLON : codeAt(key, n);
      if (code !== COLON) {
        segment = Math.imul(segment ^ code, 0x01000193);
        if (!isLetter(code)) isWord = false;
        continue;
      }
      hash = Math.imul(hash ^ segment, 0x01000193);
      form = Math.imul(form ^ ID, 0x01000193);
      words = Math.imul(words ^ (isWord && n > startsAt && n - startsAt <= MAX_WORD ? segment : ID), 0x01000193);
      segment = FIRST;
      startsAt = n + 1;
      isWord = true;
    }
    this.keyHash = (hash ^ key.length) | 0;
    this.wordsHash = words;
    this.formHash = form;
  }

  private named(cache: string): KeyPattern {
    const name = this.byName.has(cache) || this.byName.size < MAX_NAMED ? cache : "other";
    let pattern = this.byName.get(name);
    if (pattern === undefined) this.byName.set(name, (pattern = new KeyPattern(name, name, name, undefined)));
    return pattern;
  }

  private add(cache: string, key: string): KeyPattern {
    const { wordsHash, formHash } = this;
    let form = this.byHash.get(formHash);
    if (form?.isData === true) return form;
    if (this.byHash.size >= MAX_PATTERNS - 1) {
      refused.total += 1;
      return this.named(cache);
    }
    const segments = key.slice(cache.length + 1, MAX_LENGTH).split(":");
    const ids = `${cache}:${segments.map(() => "?").join(":")}`;
    if (form === undefined) this.byHash.set(formHash, (form = new KeyPattern(cache, ids, ids, undefined)));
    if (wordsHash === formHash) return form;
    if (form.forms >= MAX_WORDS) return this.giveUpWords(form);
    form.forms++;
    const words = segments.map((text, n) => (n > 0 && isWordText(text) ? text : "?"));
    const pattern = new KeyPattern(cache, `${cache}:${words.join(":")}`, ids, form);
    this.byHash.set(wordsHash, pattern);
    return pattern;
  }

  private giveUpWords(form: KeyPattern): KeyPattern {
    form.isData = true;
    for (const pattern of this.byHash.values()) if (pattern.form === form) pattern.into = form;
    return form;
  }
}

function forgetIdle<Key>(patterns: Map<Key, KeyPattern>, isFull: boolean): void {
  for (const [key, pattern] of patterns) {
    if (isFull && pattern.isIdle && pattern.forms === 0) {
      patterns.delete(key);
      if (pattern.form !== undefined) pattern.form.forms--;
    }
    pattern.isIdle = true;
  }
}

/** Also `_` and `-`. */
function isLetter(code: number): boolean {
  const lower = code | 0x20;
  return (lower >= 97 && lower <= 122) || code === 95 || code === 45;
}

function isWordText(text: string): boolean {
  return text.length <= MAX_WORD && /^[A-Za-z_-]+$/.test(text);
}

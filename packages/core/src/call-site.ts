import { performance } from "node:perf_hooks";
import type { HttpClientOperation } from "./operation.js";
import { limitOf } from "./self.js";
import { findSite, findSiteInText } from "./stack-frames.js";

/** Where in the app's own code a call was made. */
export interface CallSite {
  /** `code.file.path`: absolute; the source's where there is a source map. */
  readonly file: string;
  /** `code.line.number`, from 1. */
  readonly line: number;
  readonly column?: number;
  /** `code.function.name`: `Orders.list`; absent at the top level and in nameless functions. */
  readonly function?: string;
}

/** What calls can be told apart by: a database template, or `siteKeyOf` a request sent. */
export interface SiteHolder {
  readonly slots: unknown[];
}

/** Sites taken each time that a shape is armed … */
const TAKES = 3;
/** … which is once in this time, in ms, however often it is found. */
const REARM_MS = 60_000;
/** A stack costs 5 to 30 µs: of all calls while any shape is armed, one in a hundred at most gives one, beside the first few. */
const MAX_SHARE = 0.01;
const FIRST = 30;
/** Frames of a stack. Async frames come last, and an ORM has many before them. */
const MAX_FRAMES = 30;
/** Shapes that may wait for their next call. */
const MAX_WATCHES = 1_000;
const refused = limitOf("call_site.shapes");

/** What is known of the sites of one shape. */
class Watch {
  /** Sites still wanted. */
  wanted = 0;
  armedMs = 0;
  last: TakenSite | undefined = undefined;
}

const watches = new WeakMap<SiteHolder, Watch>();
/** Shapes that want a site: while there is none, a call costs one comparison. */
const armed = new Set<SiteHolder>();
let seen = 0;
let taken = 0;
/** Who wants the site of every call. */
let takers = 0;

/** Arms a shape: of its next calls, sites are taken. It does nothing while those of the last minute will do. */
export function wantSite(holder: SiteHolder, nowMs: number = performance.now()): void {
  const watch = watches.get(holder) ?? new Watch();
  if (armed.has(holder) || (watch.armedMs > 0 && nowMs - watch.armedMs < REARM_MS)) return;
  if (armed.size >= MAX_WATCHES) forgetOldest();
  watches.set(holder, watch);
  watch.armedMs = nowMs;
  watch.wanted = TAKES;
  armed.add(holder);
}

/** The one that has waited longest for a call that does not come. */
function forgetOldest(): void {
  for (const oldest of armed) {
    armed.delete(oldest);
    refused.total += 1;
    return;
  }
}

/** True while any shape is armed: to be asked first where to know the shape takes time. */
export function sitesWanted(): boolean {
  return armed.size > 0 || takers > 0;
}

/** Whether a call of this shape should give its site now. */
export function siteWanted(holder: SiteHolder): boolean {
  if (takers > 0) return true;
  if (armed.size === 0) return false;
  seen++;
  return armed.has(holder) && taken < FIRST + seen * MAX_SHARE;
}

/**
 * Takes the stack of a call that was asked for, without its uppermost frames up to those of `below`, the patched function; or the one that
 * the driver itself has noted, as text. Where the stack leads is found out when somebody asks.
 */
export function takeSite(holder: SiteHolder, below: ((...args: never[]) => unknown) | string): TakenSite | undefined {
  const site = typeof below === "string" ? new TakenSite(below) : captureSite(below);
  if (takers === 0) taken++;
  const watch = watches.get(holder);
  if (watch === undefined) return site;
  watch.last = site ?? watch.last;
  if (--watch.wanted <= 0) armed.delete(holder);
  return site;
}

/** Has the site of every call taken, until the result is called: for tests, in which a stack may cost what it does. */
export function takeAllSites(): () => void {
  let isOn = true;
  takers++;
  return () => {
    if (isOn) takers--;
    isOn = false;
  };
}

/** Where a shape was called last, of the calls whose stack was taken. */
export function lastSiteOf(holder: SiteHolder): CallSite | undefined {
  return watches.get(holder)?.last?.resolve();
}

/** A stack, and the site that it leads to. */
export class TakenSite {
  private stack: object | string | undefined;
  private site: CallSite | undefined = undefined;

  constructor(stack: object | string) {
    this.stack = stack;
  }

  /** Undefined when no frame is the app's own, and while the source map of its file is being read. */
  resolve(): CallSite | undefined {
    if (this.stack === undefined) return this.site;
    const { site, isPending } = typeof this.stack === "string" ? findSiteInText(this.stack) : findSite(this.stack);
    if (isPending) return undefined;
    this.stack = undefined;
    this.site = site;
    return site;
  }
}

function captureSite(below: (...args: never[]) => unknown): TakenSite | undefined {
  const limit = Object.getOwnPropertyDescriptor(Error, "stackTraceLimit");
  try {
    // V8 asks no accessor, and the app's would keep the number.
    if (limit === undefined || limit.writable === true) Error.stackTraceLimit = MAX_FRAMES;
    // V8 writes the stack to any object; an Error would get a message and a stack of its own.
    const stack = {};
    Error.captureStackTrace(stack, below);
    return new TakenSite(stack);
  } catch {
    // An app may have frozen Error.
    return undefined;
  } finally {
    if (limit?.writable === true) Error.stackTraceLimit = limit.value as number;
    else if (limit === undefined) Reflect.deleteProperty(Error, "stackTraceLimit");
  }
}

const MAX_KEYS = 500;
const keys = new Map<string, SiteHolder>();
const unkeyed: SiteHolder = { slots: [] };

/** Stands for the requests sent to one server with one method: they have no template. */
export function siteKeyOf({ method, serverAddress, serverPort }: HttpClientOperation): SiteHolder {
  const text = `${method} ${serverAddress}:${serverPort}`;
  const known = keys.get(text);
  if (known !== undefined) return known;
  // Never armed: those beyond have no sites.
  if (keys.size >= MAX_KEYS) {
    refused.total += 1;
    return unkeyed;
  }
  const key = { slots: [] };
  keys.set(text, key);
  return key;
}

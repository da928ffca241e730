import { readFileSync } from "node:fs";
import { performance } from "node:perf_hooks";
import { promisify } from "node:util";
import { startTimer, stopTimer } from "@telltale/core";
import { type Certificates, type Connection, noAnswerIn, type Sessions, openConnection } from "./connection.js";
import { readTarget, type RequestSettings, type Target } from "./request-head.js";
import { createTurns } from "./turns.js";

/** Where and how to send OTLP over HTTP. */
export interface SenderSettings extends RequestSettings {
  /** Time for a delivery with its retries, in ms. */
  readonly timeoutMs: number;
  /** PEM files, for https. */
  readonly tls: { ca?: string | undefined; cert?: string | undefined; key?: string | undefined };
}

/** What became of a delivery. */
export type Delivery =
  | { readonly ok: true; /** What the collector answered. */ readonly answer: Uint8Array }
  | { readonly ok: false; readonly reason: string };

/** Delivers payloads. */
export interface Sender {
  /** Delivers one payload, whose bytes must stay until it has settled; never throws, and keeps the process alive only while it connects: see `hurry`. */
  send(payload: Uint8Array): Promise<Delivery>;
  /**
   * The process may be ending: what waits to be tried again is given up, and nothing is tried twice, until the result is called; which ends a
   * connection that is still being made.
   */
  hurry(): () => void;
}

interface Attempt {
  /** 0 when there was no answer. */
  readonly status: number;
  readonly reason: string;
  readonly answer: Uint8Array;
  readonly retryAfterMs?: number;
  readonly isStale?: boolean;
}

/** https://opentelemetry.io/docs/specs/otlp/#failures-1: these may be tried again, and so may a lost connection. */
const RETRYABLE = new Set([0, 429, 502, 503, 504]);
const FIRST_BACKOFF_MS = 500;
const MAX_BACKOFF_MS = 5_000;
/** With less time left the last try would only hide what the others came to. */
const MIN_TRY_MS = 50;
const NO_ANSWER = new Uint8Array();

/**
 * OTLP over HTTP, one connection kept alive. The upstream exporter is not used because its retries and its sockets keep a
 * process alive that wants to end.
 */
export function createSender(settings: SenderSettings): Sender {
  const certificates = readTls(settings.tls);
  const sessions: Sessions = {};
  const turns = createTurns();
  let target: Target | undefined;
  let connection: Connection | undefined;
  let hurries = 0;
  let waits = new AbortController();

  async function send(payload: Uint8Array): Promise<Delivery> {
    const deadline = performance.now() + settings.timeoutMs;
    try {
      const body = settings.gzip ? await compress(payload) : payload;
      for (let backoffMs = FIRST_BACKOFF_MS; ;) {
        const attempt = await post(body, deadline);
        if (attempt.status >= 200 && attempt.status < 300) return { ok: true, answer: attempt.answer };
        if (attempt.isStale) continue;
        const waitMs = attempt.retryAfterMs || backoffMs * (0.8 + Math.random() * 0.4);
        backoffMs = Math.min(backoffMs * 1.5, MAX_BACKOFF_MS);
        const isLate = performance.now() + waitMs + MIN_TRY_MS >= deadline;
        const last = hurries > 0 || !RETRYABLE.has(attempt.status) || isLate;
        if (!last) await pause(waitMs, waits.signal);
        if (last || hurries > 0) return { ok: false, reason: attempt.reason };
      }
    } catch (error) {
      return { ok: false, reason: error instanceof Error ? error.message : String(error) };
    }
  }

  async function post(body: Uint8Array, deadline: number): Promise<Attempt> {
    const leftMs = Math.max(0, deadline - performance.now());
    if (!(await turns.take(leftMs))) return { status: 0, reason: noAnswerIn(leftMs), answer: NO_ANSWER };
    try {
      target ??= readTarget(settings);
      if (connection?.isOpen() !== true) connection = openConnection(target, certificates, sessions);
      const { answer, reason, isStale } = await connection.exchange(body, Math.max(0, deadline - performance.now()));
      if (answer === undefined) return { status: 0, reason, answer: NO_ANSWER, isStale };
      const { status, headers, body: content } = answer;
      return {
        status,
        reason: `HTTP ${status}`,
        answer: content,
        retryAfterMs: retryAfter(headers.get("retry-after")),
      };
    } finally {
      turns.giveBack();
    }
  }

  function hurry(): () => void {
    hurries++;
    waits.abort();
    waits = new AbortController();
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      hurries--;
      connection?.giveUpConnecting();
    };
  }

  return { send, hurry };
}

/** `Retry-After` in seconds or as a date, in ms; 0 where that is over, or is no time. */
function retryAfter(header = ""): number {
  const seconds = Number(header);
  const ms = Number.isNaN(seconds) ? Date.parse(header) - Date.now() : seconds * 1000;
  return Number.isNaN(ms) ? 0 : Math.max(0, ms);
}

/** The module loads with the first delivery that is compressed. */
function compress(payload: Uint8Array): Promise<Uint8Array> {
  return promisify(process.getBuiltinModule("node:zlib").gzip)(payload);
}

function pause(ms: number, until: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      stopTimer(timer);
      until.removeEventListener("abort", end);
      resolve();
    };
    const timer = startTimer(end, ms).unref();
    until.addEventListener("abort", end);
  });
}

function readTls(files: SenderSettings["tls"]): Certificates {
  return {
    ...(files.ca !== undefined && { ca: readFileSync(files.ca) }),
    ...(files.cert !== undefined && { cert: readFileSync(files.cert) }),
    ...(files.key !== undefined && { key: readFileSync(files.key) }),
  };
}

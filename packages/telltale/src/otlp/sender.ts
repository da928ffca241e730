import { readFileSync } from "node:fs";
import http, { type IncomingMessage } from "node:http";
import type https from "node:https";
import { performance } from "node:perf_hooks";
import { promisify } from "node:util";
import { startTimer, stopTimer } from "@telltale/core";

/** Where and how to send OTLP over HTTP. */
export interface SenderSettings {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly contentType: "application/x-protobuf" | "application/json";
  readonly gzip: boolean;
  /** Time for a delivery with its retries, in ms. */
  readonly timeoutMs: number;
  /** PEM files, for https. */
  readonly tls: { ca?: string | undefined; cert?: string | undefined; key?: string | undefined };
  readonly userAgent: string;
}

/** What became of a delivery. */
export type Delivery =
  | { readonly ok: true; /** What the collector answered. */ readonly answer: Uint8Array }
  | { readonly ok: false; readonly reason: string };

/** Delivers payloads. */
export interface Sender {
  /** Delivers one payload, whose bytes must stay until it has settled; never throws, and never keeps the process alive. */
  send(payload: Uint8Array): Promise<Delivery>;
  /** The process may be ending: what waits to be tried again is given up, and nothing is tried twice, until the result is called. */
  hurry(): () => void;
}

interface Attempt {
  /** 0 when there was no answer. */
  readonly status: number;
  readonly reason: string;
  readonly answer: Uint8Array;
  readonly retryAfterMs?: number | undefined;
  /** The connection, kept from an earlier request, was closed by the collector just then: nobody has read anything of it. */
  readonly isStale?: boolean;
}

/** https://opentelemetry.io/docs/specs/otlp/#failures-1: these may be tried again, and so may a lost connection. */
const RETRYABLE = new Set([0, 429, 502, 503, 504]);
const FIRST_BACKOFF_MS = 500;
const MAX_BACKOFF_MS = 5_000;
const MAX_ANSWER_BYTES = 64 * 1024;
/** A connection that nothing was sent on for so long is closed; deliveries come every few seconds. */
const IDLE_MS = 60_000;
const NO_ANSWER = new Uint8Array();

/**
 * OTLP over HTTP, one connection kept alive. The upstream exporter is not used because its retries and its sockets keep a
 * process alive that wants to end.
 */
export function createSender(settings: SenderSettings): Sender {
  // To load node:https takes 6 ms of CPU and 2 MB.
  const client = settings.url.startsWith("https:") ? process.getBuiltinModule("node:https") : http;
  const agent = new client.Agent({ keepAlive: true, maxSockets: 1, timeout: IDLE_MS, ...readTls(settings.tls) });
  let hurries = 0;
  let waits = new AbortController();

  async function send(payload: Uint8Array): Promise<Delivery> {
    const deadline = performance.now() + settings.timeoutMs;
    try {
      const body = settings.gzip ? await compress(payload) : payload;
      for (let backoffMs = FIRST_BACKOFF_MS; ;) {
        const attempt = await post(client, agent, settings, body, deadline - performance.now());
        if (attempt.status >= 200 && attempt.status < 300) return { ok: true, answer: attempt.answer };
        if (attempt.isStale) continue;
        const waitMs = attempt.retryAfterMs ?? backoffMs * (0.8 + Math.random() * 0.4);
        backoffMs = Math.min(backoffMs * 1.5, MAX_BACKOFF_MS);
        const last = hurries > 0 || !RETRYABLE.has(attempt.status) || performance.now() + waitMs >= deadline;
        if (!last) await pause(waitMs, waits.signal);
        if (last || hurries > 0) return { ok: false, reason: attempt.reason };
      }
    } catch (error) {
      return { ok: false, reason: error instanceof Error ? error.message : String(error) };
    }
  }

  function hurry(): () => void {
    hurries++;
    waits.abort();
    waits = new AbortController();
    let isOver = false;
    return () => {
      if (!isOver) hurries--;
      isOver = true;
    };
  }

  return { send, hurry };
}

function post(
  client: typeof http | typeof https,
  agent: http.Agent,
  settings: SenderSettings,
  body: Uint8Array,
  timeoutMs: number,
): Promise<Attempt> {
  return new Promise((resolve) => {
    const request = client.request(settings.url, {
      method: "POST",
      agent: agent as https.Agent,
      headers: {
        ...settings.headers,
        "content-type": settings.contentType,
        "content-length": body.length,
        "user-agent": settings.userAgent,
        ...(settings.gzip && { "content-encoding": "gzip" }),
      },
    });
    let answered: IncomingMessage | undefined;
    let reason = "the connection was closed";
    let isStale = false;
    let isLate = false;
    const chunks: Buffer[] = [];
    const timer = startTimer(
      () => {
        isLate = true;
        reason = `no answer in ${Math.round(timeoutMs)} ms`;
        request.destroy();
      },
      Math.max(0, timeoutMs),
    ).unref();
    request.on("socket", (socket) => socket.unref());
    request.on("error", (error: NodeJS.ErrnoException) => {
      if (isLate) return;
      reason = error.code ?? error.message;
      isStale = request.reusedSocket && error.code === "ECONNRESET";
    });
    request.on("response", (response) => {
      answered = response;
      readHeaders(response);
      let received = 0;
      response.on("error", () => {});
      response.on("data", (chunk: Buffer) => {
        received += chunk.length;
        chunks.push(chunk);
        if (received > MAX_ANSWER_BYTES) response.destroy();
      });
    });
    // The last event, whatever came before: nothing of the body will be sent any more, and its bytes may be written over.
    request.on("close", () => {
      stopTimer(timer);
      if (answered === undefined) return resolve({ status: 0, reason, answer: NO_ANSWER, isStale });
      const { statusCode: status = 0, headers } = answered;
      const retryAfterMs = retryAfter(headers["retry-after"]);
      resolve({ status, reason: `HTTP ${status}`, answer: Buffer.concat(chunks), retryAfterMs });
    });
    request.end(body);
  });
}

/**
 * In place of Node's own getter, which we and the agent would ask: an answer of ours would make one shape more of messages than V8 tells apart
 * in it, at the cost of each request that the app serves (a cached read: 2,600 instructions of 265,000).
 */
function readHeaders(response: IncomingMessage): void {
  const { rawHeaders } = response;
  const headers: Record<string, string | undefined> = {};
  for (let n = 0; n < rawHeaders.length; n += 2) headers[rawHeaders[n]?.toLowerCase() ?? ""] = rawHeaders[n + 1];
  Object.defineProperty(response, "headers", { value: headers });
}

/** `Retry-After` in seconds or as a date, in ms. */
function retryAfter(header: string | undefined): number | undefined {
  if (header === undefined) return undefined;
  const seconds = Number(header);
  const ms = Number.isNaN(seconds) ? Date.parse(header) - Date.now() : seconds * 1000;
  return Number.isNaN(ms) ? undefined : Math.max(0, ms);
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

function readTls(files: SenderSettings["tls"]): { ca?: Buffer; cert?: Buffer; key?: Buffer } {
  return {
    ...(files.ca !== undefined && { ca: readFileSync(files.ca) }),
    ...(files.cert !== undefined && { cert: readFileSync(files.cert) }),
    ...(files.key !== undefined && { key: readFileSync(files.key) }),
  };
}

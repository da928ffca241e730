import { performance } from "node:perf_hooks";
import type { IncomingMessage, ServerResponse } from "node:http";
import { setImmediate } from "node:timers/promises";
import {
  decodeLogs,
  decodeMetrics,
  decodeTraces,
  type LogsRequest,
  type MetricsRequest,
  OtlpError,
  parseLogs,
  parseMetrics,
  parseTraces,
  type TracesRequest,
} from "@telltale/otlp";
import type { Change } from "../api/answers.js";
import { createWriter, type Writer, type WriterCounters, type Writing } from "../store/create-writer.js";
import type { StoreLimits } from "../store/limits.js";
import type { Store } from "../store/open-store.js";
import { hasFindings } from "../store/write-findings.js";
import { type Form, sendRefused, sendWritten, type Signal } from "./otlp-answers.js";
import { checkLength, inflateBody, readBody, readEncoding } from "./read-body.js";
import { Refused } from "./refused.js";

/** Takes OTLP over HTTP, protobuf and JSON, and keeps it. */
export interface Receiver {
  /** Answers `POST /v1/traces`, `/v1/metrics` and `/v1/logs`; false, and untouched, for other paths. Never rejects for what was sent. */
  handle(request: IncomingMessage, response: ServerResponse): Promise<boolean>;
  readonly writer: Writer;
  counters(): ReceiverCounters;
  /** Waits for what is being written. What comes later is refused. */
  close(): Promise<void>;
}

export interface ReceiverCounters extends WriterCounters {
  /** Requests by reason. */
  readonly refused: Readonly<Record<string, number>>;
}

export interface ReceiverOptions {
  readonly limits?: Partial<StoreLimits>;
  /** Of all requests that are being read or wait to be written; what is more is refused, to be sent again. Default 128 MB. */
  readonly maxWaitingBytes?: number;
  /** Hears of what was written. */
  readonly onChange?: (change: Change) => void;
}

const MAX_WAITING = 128 * 1024 * 1024;
/** How long one piece of writing may keep others waiting, in ms. */
const PIECE_MS = 4;

const SIGNALS: ReadonlyMap<string, Signal> = new Map([
  ["/v1/traces", "traces"],
  ["/v1/metrics", "metrics"],
  ["/v1/logs", "logs"],
]);

export function createReceiver(store: Store, options: ReceiverOptions = {}): Receiver {
  const writer = createWriter(store, options.limits);
  const { maxWaitingBytes = MAX_WAITING } = options;
  const refused: Record<string, number> = {};
  let waiting = 0;
  let isClosed = false;
  /** One after the other: pieces of two would only make both late. */
  let last: Promise<unknown> = Promise.resolve();

  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = last.then(work);
    last = result.catch(() => {});
    return result;
  }

  async function writeAll(writing: Writing): Promise<void> {
    while (!writing.step(performance.now() + PIECE_MS)) await setImmediate();
    // What became too much meanwhile, or was at the start.
    while (!writer.tidy(performance.now() + PIECE_MS)) await setImmediate();
  }

  async function take(signal: Signal, form: Form, content: Buffer): Promise<Writing> {
    const { writing, kinds } = read(writer, signal, form, content);
    await writeAll(writing);
    if (writing.accepted > 0) options.onChange?.({ kinds, spans: signal === "traces" ? writing.accepted : 0 });
    return writing;
  }

  async function receive(request: IncomingMessage, signal: Signal, form: Form): Promise<Writing> {
    let held = 0;
    const hold = (bytes: number) => {
      held += bytes;
      waiting += bytes;
      if (waiting > maxWaitingBytes)
        throw new Refused(503, "busy", "more is sent than can be written: wait a second, and send it again");
    };
    try {
      if (isClosed) throw new Refused(503, "closing", "the viewer ends");
      if (request.method !== "POST") throw new Refused(405, "method", `expected POST, got ${request.method}`);
      checkType(request);
      const inflater = readEncoding(request);
      checkLength(request);
      const body = await readBody(request, hold);
      return await inTurn(async () => take(signal, form, await inflateBody(body, inflater, form)));
    } finally {
      waiting -= held;
    }
  }

  return {
    writer,
    async handle(request, response) {
      const [path = ""] = (request.url ?? "").split("?", 1);
      const signal = SIGNALS.get(path);
      if (signal === undefined) return false;
      const form = formOf(request) ?? "json";
      try {
        sendWritten(response, form, signal, await receive(request, signal, form));
      } catch (error) {
        const refusal = refusalFor(error);
        refused[refusal.reason] = (refused[refusal.reason] ?? 0) + 1;
        if (refusal.status === 405) response.setHeader("allow", "POST");
        // What is still being sent is not read.
        if (!request.complete) response.setHeader("connection", "close");
        sendRefused(response, form, refusal);
      }
      return true;
    },
    counters: () => ({ ...writer.counters(), refused: { ...refused } }),
    async close() {
      isClosed = true;
      await last;
    },
  };
}

/** By the content type; undefined for one that is neither. */
function formOf(request: IncomingMessage): Form | undefined {
  const [type = ""] = (request.headers["content-type"] ?? "").split(";", 1);
  if (type.trim().toLowerCase() === "application/json") return "json";
  return /^\s*application\/(x-)?protobuf\s*$/i.test(type) ? "protobuf" : undefined;
}

function checkType(request: IncomingMessage): void {
  if (formOf(request) !== undefined) return;
  const got = JSON.stringify((request.headers["content-type"] ?? "none").slice(0, 100));
  const expected = "application/x-protobuf or application/json";
  throw new Refused(415, "content type", `the content-type must be ${expected}, got ${got}`);
}

function read(
  writer: Writer,
  signal: Signal,
  form: Form,
  content: Buffer,
): { writing: Writing; kinds: Change["kinds"] } {
  const isJson = form === "json";
  if (signal === "traces") {
    const request: TracesRequest = isJson ? parseTraces(content.toString()) : decodeTraces(content);
    return { writing: writer.traces(request), kinds: ["spans"] };
  }
  if (signal === "metrics") {
    const request: MetricsRequest = isJson ? parseMetrics(content.toString()) : decodeMetrics(content);
    return { writing: writer.metrics(request), kinds: ["metrics"] };
  }
  const request: LogsRequest = isJson ? parseLogs(content.toString()) : decodeLogs(content);
  return { writing: writer.logs(request), kinds: hasFindings(request) ? ["logs", "findings"] : ["logs"] };
}

function refusalFor(error: unknown): Refused {
  if (error instanceof Refused) return error;
  if (error instanceof OtlpError) {
    const isLarge = error.reason === "large";
    return new Refused(isLarge ? 413 : 400, isLarge ? "too large" : "unreadable", error.message);
  }
  const why = error instanceof Error ? error.message : String(error);
  if (error instanceof Error && "code" in error && error.code === "ERR_SQLITE_ERROR")
    return new Refused(503, "not written", `the viewer's database takes no more: ${why}`);
  return new Refused(400, "cut off", `the request could not be read: ${why}`);
}

import type { Readable, Writable } from "node:stream";
import { once } from "node:events";
import { readLines } from "./read-lines.js";

// Codes of JSON-RPC 2.0, section 5.1.
const PARSE_ERROR = -32700;
const INVALID_REQUEST = -32600;
export const METHOD_NOT_FOUND = -32601;
export const INVALID_PARAMS = -32602;
const INTERNAL_ERROR = -32603;

const MAX_MESSAGE_BYTES = 1024 * 1024;
/** More wait until one is answered: nothing further is read meanwhile. */
const MAX_AT_ONCE = 16;

/** The caller's mistake, told with its code. */
export class RpcError extends Error {
  readonly code: number;
  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

export type Params = Readonly<Record<string, unknown>>;
export type Handle = (method: string, params: Params, signal: AbortSignal) => Promise<unknown>;
type Id = string | number;

/**
 * Answers JSON-RPC 2.0, one message a line, until the input ends. Notifications have no answer; `notifications/cancelled` of the Model
 * Context Protocol aborts the request that it names. Nothing else is written to the output.
 */
export async function serveJsonRpc(input: Readable, output: Writable, handle: Handle): Promise<void> {
  const running = new Map<Id, AbortController>();
  const work = new Set<Promise<void>>();
  let isGone = false;
  output.once("error", () => {
    isGone = true;
    input.destroy();
  });

  const write = async (message: unknown): Promise<void> => {
    if (!isGone && !output.write(`${JSON.stringify(message)}\n`)) await once(output, "drain").catch(() => undefined);
  };
  const answerOne = async (message: unknown): Promise<object | undefined> => {
    const read = readMessage(message);
    if (read === undefined) return undefined;
    if ("error" in read) return read;
    const { id, method, params } = read;
    if (id === undefined) {
      if (method === "notifications/cancelled") running.get(params["requestId"] as Id)?.abort();
      return undefined;
    }
    const controller = new AbortController();
    running.set(id, controller);
    try {
      const result = await handle(method, params, controller.signal);
      return controller.signal.aborted ? undefined : { jsonrpc: "2.0", id, result };
    } catch (error) {
      if (controller.signal.aborted) return undefined;
      const code = error instanceof RpcError ? error.code : INTERNAL_ERROR;
      return failure(id, code, error instanceof Error ? error.message : String(error));
    } finally {
      running.delete(id);
    }
  };
  const answerLine = async (line: string | undefined): Promise<void> => {
    if (line === undefined) {
      return write(failure(null, PARSE_ERROR, `A message has at most ${MAX_MESSAGE_BYTES} bytes: this one has more`));
    }
    let message: unknown;
    try {
      message = JSON.parse(line);
    } catch {
      return write(failure(null, PARSE_ERROR, "One JSON-RPC message a line was expected: this one is no JSON"));
    }
    // Version 2025-03-26 of the protocol has batches, later ones none.
    if (!Array.isArray(message) || message.length === 0) {
      const answer = await answerOne(message);
      return answer === undefined ? undefined : write(answer);
    }
    const answers = (await Promise.all(message.map(answerOne))).filter((answer) => answer !== undefined);
    if (answers.length > 0) await write(answers);
  };

  try {
    for await (const line of readLines(input, MAX_MESSAGE_BYTES)) {
      if (line !== undefined && line.trim() === "") continue;
      const job = answerLine(line).finally(() => work.delete(job));
      work.add(job);
      if (work.size >= MAX_AT_ONCE) await Promise.race(work);
    }
  } catch (error) {
    if (!isGone) throw error;
  }
  await Promise.all(work);
}

interface Failure {
  readonly jsonrpc: "2.0";
  readonly id: Id | null;
  readonly error: { readonly code: number; readonly message: string };
}

function failure(id: Id | null, code: number, message: string): Failure {
  return { jsonrpc: "2.0", id, error: { code, message } };
}

/** Undefined for answers: nothing is asked here. */
function readMessage(message: unknown): { id: Id | undefined; method: string; params: Params } | Failure | undefined {
  if (!isRecord(message) || message["jsonrpc"] !== "2.0") {
    return failure(null, INVALID_REQUEST, 'A message is an object with "jsonrpc": "2.0"');
  }
  const { id, method, params } = message;
  if (method === undefined && ("result" in message || "error" in message)) return undefined;
  if (id !== undefined && typeof id !== "string" && typeof id !== "number") {
    return failure(null, INVALID_REQUEST, "An id is a string or a number");
  }
  if (typeof method !== "string") return failure(id ?? null, INVALID_REQUEST, "A request has a method, a string");
  if (params !== undefined && !isRecord(params)) {
    return id === undefined ? undefined : failure(id, INVALID_PARAMS, "params are an object");
  }
  return { id, method, params: params ?? {} };
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

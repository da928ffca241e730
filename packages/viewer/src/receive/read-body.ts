import type { IncomingMessage } from "node:http";
import { promisify } from "node:util";
import { gunzip, inflate, type InputType, type ZlibOptions } from "node:zlib";
import type { Form } from "./otlp-answers.js";
import { Refused } from "./refused.js";

/** Of a body on the wire; collectors take 20 MB. */
const MAX_SENT = 32 * 1024 * 1024;
/** Of what is in it: more of JSON than of protobuf would be too much in memory. */
const MAX_CONTENT = { protobuf: 64 * 1024 * 1024, json: 32 * 1024 * 1024 };

type Inflater = (body: InputType, options: ZlibOptions) => Promise<Buffer>;
const INFLATERS: ReadonlyMap<string, Inflater> = new Map([
  ["gzip", promisify<InputType, ZlibOptions, Buffer>(gunzip)],
  ["x-gzip", promisify<InputType, ZlibOptions, Buffer>(gunzip)],
  ["deflate", promisify<InputType, ZlibOptions, Buffer>(inflate)],
]);

/** How the body is compressed; undefined where it is not. Throws a Refused. */
export function readEncoding(request: IncomingMessage): Inflater | undefined {
  const encoding = (request.headers["content-encoding"] ?? "identity").trim().toLowerCase();
  if (encoding === "identity") return undefined;
  const inflater = INFLATERS.get(encoding);
  if (inflater === undefined) {
    const got = JSON.stringify(encoding.slice(0, 40));
    throw new Refused(415, "content encoding", `the content-encoding must be gzip, deflate or identity, got ${got}`);
  }
  return inflater;
}

/** What is announced, before any of it is read. Throws a Refused. */
export function checkLength(request: IncomingMessage): void {
  if (Number(request.headers["content-length"] ?? 0) > MAX_SENT) throw tooLarge();
}

/** The body as it was sent. `hold` hears of every piece, and may throw. */
export async function readBody(request: IncomingMessage, hold: (bytes: number) => void): Promise<Buffer> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > MAX_SENT) throw tooLarge();
    hold(part.length);
    parts.push(part);
  }
  return Buffer.concat(parts, size);
}

/** What is in it. Of a bomb there are 64 MB, so one after the other. */
export async function inflateBody(body: Buffer, inflater: Inflater | undefined, form: Form): Promise<Buffer> {
  const max = MAX_CONTENT[form];
  if (inflater === undefined) return body;
  try {
    return await inflater(body, { maxOutputLength: max });
  } catch (error) {
    if (error instanceof RangeError) throw tooMuch(max);
    const why = error instanceof Error ? error.message : "unreadable";
    throw new Refused(400, "broken compression", `the body is not compressed as content-encoding says: ${why}`);
  }
}

function tooLarge(): Refused {
  return new Refused(413, "too large", `a request may have ${MAX_SENT} bytes at most: send smaller batches`);
}

function tooMuch(max: number): Refused {
  return new Refused(413, "too large", `a request may hold ${max} bytes at most: send smaller batches`);
}

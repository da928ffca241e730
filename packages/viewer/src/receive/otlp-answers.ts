import type { ServerResponse } from "node:http";
import type { Written } from "../store/create-writer.js";
import type { Refused } from "./refused.js";

// https://opentelemetry.io/docs/specs/otlp/#otlphttp-response: in the form of the request.

export type Form = "protobuf" | "json";

const TYPES = { protobuf: "application/x-protobuf", json: "application/json" };
const REJECTED = { traces: "rejectedSpans", metrics: "rejectedDataPoints", logs: "rejectedLogRecords" };
export type Signal = keyof typeof REJECTED;

/** All went well, or all but a part. */
export function sendWritten(response: ServerResponse, form: Form, signal: Signal, written: Written): void {
  const { rejected, why = "" } = written;
  if (form === "json") {
    const partialSuccess = { [REJECTED[signal]]: String(rejected), errorMessage: why };
    send(response, 200, form, rejected === 0 ? "{}" : JSON.stringify({ partialSuccess }));
    return;
  }
  const partial = Buffer.concat([Buffer.from([0x08]), varint(rejected), text(why)]);
  send(
    response,
    200,
    form,
    rejected === 0 ? "" : Buffer.concat([Buffer.from([0x0a]), varint(partial.length), partial]),
  );
}

/** A google.rpc.Status with its message. */
export function sendRefused(response: ServerResponse, form: Form, { status, message }: Refused): void {
  if (response.headersSent) return;
  // Those that may be sent again: https://opentelemetry.io/docs/specs/otlp/#retryable-response-codes
  if (status === 503) response.setHeader("retry-after", "1");
  send(response, status, form, form === "json" ? JSON.stringify({ message }) : text(message));
}

function send(response: ServerResponse, status: number, form: Form, body: string | Buffer): void {
  response.writeHead(status, { "content-type": TYPES[form], "content-length": Buffer.byteLength(body) });
  response.end(body);
}

/** A field 2 of a protobuf message. */
function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([Buffer.from([0x12]), varint(bytes.length), bytes]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 0x80);
  return Buffer.from([...bytes, rest]);
}
